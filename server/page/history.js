// The last races and the running totals, from GET /races.

import { find, make, unbroken, verdictBadge } from "./dom.js";
import { count, money, toneOfRace, wordsOfRace } from "./words.js";

const ENTRIES_MAX = 12;
const traceLinks = new Map(); // by race id: the trace links of its detail

export function raceLink(ids) {
  return `/?race=${ids.map(encodeURIComponent).join(",")}`;
}

export function clockTime(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

function isPlainClick(event) {
  return event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
}

// A run of this page: one entry for all of its rounds.
function runItem(run, runs) {
  const at = new Date(run.at).toISOString();
  const link = make("a", { href: "#all-rounds", "data-run": String(run.id) },
    make("time", { datetime: at }, clockTime(at)), " ",
    verdictBadge(runs.isClean(run) ? "good" : "bad", runs.words(run)), " ",
    make("code", {}, run.strategy));
  link.addEventListener("click", (event) => {
    if (isPlainClick(event)) {
      event.preventDefault();
      runs.show(run);
    }
  });
  return make("li", {}, link);
}

function item(race, open) {
  const link = make("a", { href: raceLink(race.transfer_ids), "data-race": race.id },
    make("time", { datetime: race.at }, clockTime(race.at)), " ",
    verdictBadge(toneOfRace(race), wordsOfRace(race)), " ",
    ...unbroken(`${race.transfer_count} from ${race.account}, lowest ${money(race.lowest_balance)}, `),
    make("code", {}, race.strategies.join(", ")));
  link.addEventListener("click", (event) => {
    if (isPlainClick(event)) {
      event.preventDefault();
      open(race.transfer_ids);
    }
  });
  const traces = (traceLinks.get(race.id) ?? []).map((url, index) =>
    make("a", { href: url, class: "trace", rel: "noopener" }, `trace ${String.fromCharCode(65 + index)}`));
  return make("li", {}, link, ...traces.flatMap((trace) => [" ", trace]));
}

// open(ids) draws a race. runs: {of(race), words(run), isClean(run), show(run)}.
export function showHistory(races, open, runs) {
  const entries = new Map(races.map((race) => [runs.of(race) ?? race, race]));
  find("#history").replaceChildren(...[...entries].slice(0, ENTRIES_MAX)
    .map(([entry, race]) => entry === race ? item(race, open) : runItem(entry, runs)));
  find("#history-empty").hidden = races.length > 0;
}

// The time alone if it is of today.
function since(at) {
  const today = new Date(at).toDateString() === new Date().toDateString();
  return `Since ${today ? "" : `${new Date(at).toLocaleDateString("en-GB")}, `}${clockTime(at).slice(0, 5)}:`;
}

export function showTotals(totals) {
  find("#totals-since").textContent = totals.since ? since(totals.since) : "Since this database was made:";
  const drift = totals.money_drift;
  const parts = [
    ["transfers", count(totals.transfers, "transfer"), false],
    ["raced", count(totals.raced_transfers, "raced transfer"), false],
    ["double-spends", count(totals.double_spends, "double spend"), totals.double_spends > 0],
    ["lost-updates", count(totals.lost_updates, "lost update"), totals.lost_updates > 0],
    ["drift", `${money(Math.abs(drift))} ${drift > 0 ? "created" : drift < 0 ? "lost" : "created or lost"}`, drift !== 0],
  ];
  find("#totals").replaceChildren(...parts.map(([name, text, bad]) => {
    const [number, ...words] = text.split(" ");
    return make("li", { class: bad ? "bad" : "", "data-total": name }, make("strong", {}, number), ` ${words.join(" ")}`);
  }));
}

// Adds the trace links to the listed races if the server has links. It asks for one race at a time, and for each race
// once.
export async function findTraces(races, detailOf) {
  const listed = new Set(races.map(({ id }) => id));
  for (const id of traceLinks.keys()) {
    if (!listed.has(id)) {
      traceLinks.delete(id);
    }
  }
  for (const { id } of races) {
    const detail = traceLinks.has(id) ? null : await detailOf(id);
    if (detail) { // null: under load a race may be too old by now, and has no links any more
      const urls = detail.transfers.map(({ trace_url: url }) => url).filter(Boolean);
      traceLinks.set(id, urls);
      if (urls.length === 0) {
        return false;
      }
    }
  }
  return true;
}
