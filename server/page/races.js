// Running races from the page: what the buttons and the tour do. It only sends; what happens comes back as events.

import { api } from "./api.js";

const AMOUNT = 800;
export const RACERS_MAX = 4; // a browser opens six connections to one host; the events hold one, the rest need one

const TARGETS = ["bob", "charlie"];

// As many as the barrier waits for, or two.
export function racersFor(settings) {
  return settings.barrier_enabled ? settings.barrier_count : 2;
}

// Sends them at once. racers() gives how many, and is asked last: a barrier that was changed meanwhile counts already.
// strategy null: the one that is selected. Gives the records.
export async function race({ racers, amount = AMOUNT, strategy = null, resetFirst }) {
  if (resetFirst) {
    await api.reset();
  }
  const bodies = Array.from({ length: await racers() }, (_, index) => ({
    from_account: "alice", to_account: TARGETS[index % TARGETS.length], amount,
    ...(strategy === null ? {} : { strategy }),
  }));
  const outcomes = await Promise.allSettled(bodies.map((body) => api.transfer(body)));
  const failed = outcomes.find(({ status }) => status === "rejected");
  if (failed) {
    throw failed.reason;
  }
  return outcomes.map(({ value }) => value);
}

// Round after round; onRound(tally) after each. racers() is asked in each round: one with too few transfers would wait for
// the barrier's timeout. Ends early when signal is aborted.
export async function raceMany({ rounds, racers, resetFirst, signal, onRound }) {
  const tally = { rounds: 0, raced: 0, doubleSpends: 0, lostUpdates: 0 };
  while (tally.rounds < rounds && !signal.aborted) {
    const records = await race({ racers, resetFirst });
    tally.rounds += 1;
    tally.raced += records.some((record) => record.race_detected) ? 1 : 0;
    tally.doubleSpends += records.some((record) => record.anomaly === "double_spend") ? 1 : 0;
    tally.lostUpdates += records.some((record) => record.anomaly === "lost_update") ? 1 : 0;
    onRound(tally);
  }
  return tally;
}
