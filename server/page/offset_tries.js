// The races that were tried with different starts, and what they show together. Pure.

import { count } from "./words.js";

export const LEAST_MS = -5;
export const MOST_MS = 5;
export const STEP_MS = 0.5;
export const OFFSETS = Array.from({ length: (MOST_MS - LEAST_MS) / STEP_MS + 1 }, (_, index) => LEAST_MS + index * STEP_MS);
export const TRIES_OF_EACH = 3;

// All offsets, each several times. A whole row is tried before the next, so that the picture is complete early.
export function wholePlan() {
  return Array.from({ length: TRIES_OF_EACH }, () => OFFSETS).flat();
}

// The column of a race: the time between the arrivals at the server, to the nearest step. It is null if they were
// further apart.
export function columnOf(ms) {
  const column = Math.round(ms / STEP_MS) - LEAST_MS / STEP_MS;
  return column >= 0 && column < OFFSETS.length ? column : null;
}

const sign = (ms) => `${ms < 0 ? "-" : ""}${Math.abs(ms)}`;

export function offsetWords(ms) {
  return ms === 0 ? "together with the transfer to bob" : `${Math.abs(ms)} ms ${ms < 0 ? "before" : "after"} the transfer to bob`;
}

// [[first, last]]: neighbouring columns that have a race that went wrong.
function wrongRanges(tries) {
  const wrong = [...new Set(tries.filter(({ verdict }) => verdict !== "clean").map(({ ms }) => columnOf(ms)))]
    .filter((column) => column !== null).sort((one, other) => one - other);
  const ranges = [];
  for (const column of wrong) {
    if (ranges.length > 0 && ranges.at(-1)[1] === column - 1) {
      ranges.at(-1)[1] = column;
    } else {
      ranges.push([column, column]);
    }
  }
  return ranges;
}

// tries: [{ms, verdict}]. One sentence about all of them.
export function summaryOf(tries) {
  if (tries.length === 0) {
    return "";
  }
  const wrong = tries.filter(({ verdict }) => verdict !== "clean").length;
  const where = wrongRanges(tries).map(([first, last]) => first === last ? `at ${sign(OFFSETS[first])} ms`
    : `from ${sign(OFFSETS[first])} to ${sign(OFFSETS[last])} ms`);
  const far = tries.filter(({ ms }) => columnOf(ms) === null).length;
  return `${count(tries.length, "race")}: ${[wrong === 0 ? "none went wrong" : `${wrong} went wrong`, ...where].join(", ")}.` +
    (far === 0 ? "" : ` ${far} arrived more than ${MOST_MS} ms apart and ${far === 1 ? "has" : "have"} no square.`);
}

export function lastWords({ wanted, ms, verdict }, verdicts) {
  return `${verdicts[verdict]}. Wanted ${sign(wanted)} ms, arrived ${sign(Math.round(ms * 10) / 10)} ms apart.`;
}
