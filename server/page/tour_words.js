// The sentences of the guided tour about its own transfers, made from their records and alice's balance afterwards. The
// expected sentence of a step is shown only if the records prove it: other people may use the same server. Pure.

import { missedExplanation, money } from "./words.js";

const START = 1000; // alice's balance after a reset
const SPENT = 1600; // two transfers of $800 together

function succeeded(records) {
  return records.filter(({ status }) => status === "success").length;
}

function disturbed(done, balance) {
  return `${done} succeeded and alice is at ${money(balance)} now. This step alone cannot cause that: the balances or the ` +
    "settings were changed from elsewhere meanwhile. Press the button again.";
}

// balance: alice's, read after the transfers. changed: the settings are no longer those that the step had set.
export function afterOne([record], balance, changed) {
  const asExpected = record.status === "success" && record.from_balance_before === START &&
    record.from_balance_after === balance;
  return asExpected && !changed
    ? `alice had ${money(START)} and is at ${money(balance)} now, as expected.`
    : disturbed(succeeded([record]) === 1 ? "The transfer" : "No transfer", balance);
}

function bothSpent(records, balance) {
  return succeeded(records) === 2 && records.some(({ anomaly }) => anomaly === "double_spend") && balance === START - SPENT;
}

export function afterTwo(records, balance, changed) {
  const oneRefused = succeeded(records) === 1 && records.every((record) => record.from_balance_after === balance);
  if (!changed && bothSpent(records, balance)) {
    return `Both succeeded: alice is at ${money(balance)}. Each statement answered correctly; only the moment was unlucky.`;
  }
  if (!changed && oneRefused && balance === START - SPENT / 2) {
    return `One was refused this time: alice is at ${money(balance)}. Try again, or make the race certain in the next step.`;
  }
  return disturbed(`${succeeded(records)} of 2`, balance);
}

export function afterBarrier(records, balance, changed) {
  return !changed && bothSpent(records, balance)
    ? `Both succeeded and alice is at ${money(balance)}. $${SPENT} were spent out of $${START}, every time.`
    : disturbed(`${succeeded(records)} of 2`, balance);
}

// strategies: the list of GET /strategies.
export function afterFix(records, balance, changed, strategies) {
  const left = START - SPENT / 2;
  const refused = records.find(({ status }) => status !== "success");
  if (changed || succeeded(records) !== 1 || refused.from_balance_before !== left || balance !== left) {
    return disturbed(`${succeeded(records)} of 2`, balance);
  }
  const safe = strategies.filter((strategy) => strategy.safe).length - 1; // without for_update
  const wrong = strategies.filter((strategy) => !strategy.safe).length - 1; // without vulnerable
  return `One succeeded, the other waited, read ${money(left)} and was refused: alice is at ${money(balance)}. ` +
    `Try the other strategies: ${safe} more are safe, and ${wrong} only look safe.`;
}

// race: the model of raceModel() on the stage, or null.
export function readingOf(race) {
  const [miss] = race?.missed ?? [];
  if (!miss) {
    return "There is no stale read to look at now. Go back one step and make one with the barrier.";
  }
  return missedExplanation(miss);
}
