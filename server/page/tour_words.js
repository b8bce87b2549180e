// The sentences of the guided tour about its own transfers, from their records and alice's balance afterwards. A step's
// expected sentence is said only when the records show it: other people may use the same server. Pure.

import { missedStory, money } from "./words.js";

const START = 1000; // alice's balance after a reset
const SPENT = 1600; // what two transfers of $800 take

function succeeded(records) {
  return records.filter(({ status }) => status === "success").length;
}

function disturbed(done, balance) {
  return `${done} succeeded and alice is at ${money(balance)} now. That is not this step alone: the balances or the settings ` +
    "were changed from elsewhere meanwhile. Press the button again.";
}

// balance: alice's, read after the transfers. changed: the settings are no longer those that the step had set.
export function afterOne([record], balance, changed) {
  const asExpected = record.status === "success" && record.from_balance_before === START &&
    record.from_balance_after === balance;
  return asExpected && !changed
    ? `alice had ${money(START)} and is at ${money(balance)} now, as everybody expects.`
    : disturbed(succeeded([record]) === 1 ? "The transfer" : "No transfer", balance);
}

function bothSpent(records, balance) {
  return succeeded(records) === 2 && records.some(({ anomaly }) => anomaly === "double_spend") && balance === START - SPENT;
}

export function afterTwo(records, balance, changed) {
  const oneRefused = succeeded(records) === 1 && records.every((record) => record.from_balance_after === balance);
  if (!changed && bothSpent(records, balance)) {
    return `Both succeeded: alice is at ${money(balance)}. Nobody lied to the program, it was only unlucky.`;
  }
  if (!changed && oneRefused && balance === START - SPENT / 2) {
    return `One was refused this time, alice is at ${money(balance)}. Try again, or take luck out of it in the next step.`;
  }
  return disturbed(`${succeeded(records)} of 2`, balance);
}

export function afterBarrier(records, balance, changed) {
  return !changed && bothSpent(records, balance)
    ? `Both succeeded and alice is at ${money(balance)}. $${SPENT} were spent out of $${START}, every time.`
    : disturbed(`${succeeded(records)} of 2`, balance);
}

// strategies: as GET /strategies lists them.
export function afterFix(records, balance, changed, strategies) {
  const left = START - SPENT / 2;
  const refused = records.find(({ status }) => status !== "success");
  if (changed || succeeded(records) !== 1 || refused.from_balance_before !== left || balance !== left) {
    return disturbed(`${succeeded(records)} of 2`, balance);
  }
  const safe = strategies.filter((strategy) => strategy.safe).length - 1; // besides for_update
  const wrong = strategies.filter((strategy) => !strategy.safe).length - 1; // besides vulnerable
  return `One succeeded, the other waited, read ${money(left)} and was refused: alice is at ${money(balance)}. ` +
    `That is the whole lab. Try the other strategies: ${safe} more are safe, and ${wrong} only look it.`;
}

// race: of raceModel(), as it stands on the stage, or null.
export function readingOf(race) {
  const [miss] = race?.missed ?? [];
  if (!miss) {
    return "There is no stale read to look at right now. Go back a step and let the barrier make one.";
  }
  return missedStory(miss);
}
