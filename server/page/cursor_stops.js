// The moments at which the time cursor of a race stops, in plain words, and the balances at each moment. Pure.

import { list, money, stepWords } from "./words.js";

// When a write became visible to others, in microseconds; null: it never did. A write that commits on its own has the
// time of its commit. Other writes are committed with the last step, and a retry undoes the writes before it.
function visibleUs(lane, step, index) {
  if (step.committed_at_us) {
    return Math.max(step.at_us, step.committed_at_us);
  }
  const isUndone = lane.steps.some(({ step: name }, position) => name === "retry" && position > index);
  const end = lane.steps.find(({ step: name }) => name === "commit");
  return isUndone || lane.outcome !== "succeeded" ? null : end?.at_us ?? step.at_us;
}

const cents = (value) => Math.round(value * 100) / 100;

function changesOf(race) {
  return race.recorded.flatMap((lane) => lane.steps.flatMap((step, index) => {
    const us = step.step === "deduct" || step.step === "credit" ? visibleUs(lane, step, index) : null;
    return us === null ? [] : [{
      us, letter: lane.letter, account: step.account, balance: step.value,
      before: cents(step.value + (step.step === "deduct" ? lane.amount : -lane.amount)),
    }];
  })).sort((one, other) => one.us - other.us);
}

// The committed balances of the accounts of a race: {accounts: Map of the balances before it, changes in time order}.
export function balancesOf(race) {
  const changes = changesOf(race);
  const accounts = new Map();
  for (const { account, before } of changes) {
    if (!accounts.has(account)) {
      accounts.set(account, before);
    }
  }
  for (const { account, value } of race.lanes.flatMap(({ steps }) => steps)) {
    if (account && value !== undefined && !accounts.has(account)) {
      accounts.set(account, value); // nobody wrote it, so every step has read the same
    }
  }
  return { accounts, changes };
}

// The balances `ms` after the start, as [{id, balance}].
export function balancesAt(race, { accounts, changes }, ms) {
  const now = new Map(accounts);
  for (const { us, account, balance } of changes) {
    if (us - race.startUs <= ms * 1000) {
      now.set(account, balance);
    }
  }
  return [...now].map(([id, balance]) => ({ id, balance })).sort((one, other) => one.id < other.id ? -1 : 1);
}

function drawnMs(race, piece, us) {
  return !piece ? (us - race.startUs) / 1000 : piece.fromUs === us ? piece.from : piece.to;
}

// Marks of one lane that share a microsecond are drawn one after another, so a stop has the drawn moment of its mark.
function stepItems(race, pieces) {
  return race.recorded.flatMap((lane) => lane.steps.flatMap((step) => stepWords(lane, step).map(({ us, text }) => {
    const own = pieces.filter((piece) => piece.letter === lane.letter && piece.kind === step.step &&
      (piece.fromUs === us || piece.toUs === us));
    return { ms: drawnMs(race, own.find(({ type }) => type === "mark") ?? own[0], us), text: `${lane.letter} ${text}` };
  })));
}

// A change of balances that has no step of its own: the commit of a single statement, or of all writes of a transfer.
function commitItems(race, pieces, { changes }) {
  const moments = new Map();
  for (const change of changes) {
    const key = `${change.letter} ${change.us}`;
    moments.set(key, [...(moments.get(key) ?? []), change]);
  }
  return [...moments.values()].map((all) => ({
    ms: drawnMs(race, pieces.findLast(({ letter, toUs }) => letter === all[0].letter && toUs === all[0].us), all[0].us),
    text: `now committed by ${all[0].letter}: ${list(all.map(({ account, balance }) => `${account} ${money(balance)}`))}`,
  }));
}

// [{ms, texts}] in the order of time, without two stops at one moment. The first is the start.
export function stopsOf(race, pieces, balances) {
  const items = [...stepItems(race, pieces), ...commitItems(race, pieces, balances)].sort((one, other) => one.ms - other.ms);
  const stops = [{ ms: 0, texts: [] }];
  for (const { ms, text } of items) {
    if (ms - stops.at(-1).ms < 1e-6) {
      stops.at(-1).texts.push(text);
    } else {
      stops.push({ ms, texts: [text] });
    }
  }
  if (stops[0].texts.length === 0) {
    stops[0].texts.push("before the first step");
  }
  return stops;
}

// The last stop that the cursor has reached.
export function stopAt(stops, ms) {
  return Math.max(0, stops.findLastIndex((stop) => stop.ms <= ms + 1e-6));
}

export function stopWords(stop, ms = stop.ms) {
  return `${ms.toFixed(1)} ms: ${stop.texts.join("; ")}`;
}
