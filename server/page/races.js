// Runs races for the buttons and the tour. This module only sends the transfers; their steps come back as events.

import { api } from "./api.js";

const AMOUNT = 800;
// a browser opens six connections to one host; the events hold one, other requests need one
export const RACERS_MAX = 4;

const TARGETS = ["bob", "charlie"];

// The number of transfers that the barrier waits for, or two without the barrier.
export function racersFor(settings) {
  return settings.barrier_enabled ? settings.barrier_count : 2;
}

// Sends the transfers at once and returns their records. racers() returns their number. It is called last, so that a
// barrier count that was changed meanwhile counts already. strategy null: the selected strategy; a list: one strategy
// for each transfer.
export async function race({ racers, amount = AMOUNT, strategy = null, resetFirst }) {
  if (resetFirst) {
    await api.reset();
  }
  const bodies = Array.from({ length: await racers() }, (_, index) => ({
    from_account: "alice", to_account: TARGETS[index % TARGETS.length], amount,
    ...(strategy === null ? {} : { strategy: Array.isArray(strategy) ? strategy[index] : strategy }),
  }));
  const outcomes = await Promise.allSettled(bodies.map((body) => api.transfer(body)));
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed) {
    throw failed.reason;
  }
  return outcomes.map(({ value }) => value);
}

// Runs the rounds one after another and calls onRound(records) after each. racers() is called in each round, because a
// round with too few transfers would wait for the barrier's timeout. Aborting the signal ends it early.
export async function raceMany({ rounds, racers, resetFirst, signal, onRound }) {
  for (let number = 0; number < rounds && !signal.aborted; number++) {
    onRound(await race({ racers, resetFirst }));
  }
}
