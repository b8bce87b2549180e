// The sentences of the guided tours about their own transfers, made from the records and the balances afterwards. A
// sentence that explains is shown only if the records prove it: other people may use the same server. Pure.
//
// Each function returns {now, actual, why}: what is so now, the right answer to the question of the step, and the
// reason. Or it returns {disturbed}: the sentence for a result that the step alone cannot have.

import { missedExplanation, money } from "./words.js";

export const START = 1000; // alice's balance after a reset
export const LEFT = 200; // after one transfer of $800
export const OVERDRAWN = -600; // after two of them
export const TOGETHER = 1700; // the three accounts after a reset
export const TOO_MUCH = 2500; // and after a lost update

function succeeded(records) {
  return records.filter(({ status }) => status === "success").length;
}

function disturbed(done, { alice }) {
  return { disturbed: `${done} succeeded and alice is at ${money(alice)} now. This step alone cannot cause that: the balances or ` +
    "the settings were changed from elsewhere meanwhile. Press an answer again." };
}

function aliceHas(alice, why) {
  return { now: `alice has ${money(alice)}.`, actual: money(alice), why };
}

function isDoubleSpend({ records, alice, changed }) {
  return !changed && succeeded(records) === 2 && alice === OVERDRAWN &&
    records.some(({ anomaly }) => anomaly === "double_spend");
}

function isLostUpdate({ records, alice, together, changed }) {
  return !changed && succeeded(records) === 2 && alice === LEFT && together === TOO_MUCH;
}

function isOneRefused({ records, alice, changed }) {
  const refused = records.find(({ status }) => status !== "success");
  return !changed && succeeded(records) === 1 && refused?.from_balance_before === LEFT && alice === LEFT;
}

const ofTwo = (result) => disturbed(`${succeeded(result.records)} of 2`, result);

// result: {records, alice, together, changed}. alice and together: her balance and the sum of the three accounts, read
// after the transfers. changed: the settings are no longer those that the step had set.
export function afterOne(result) {
  const [record] = result.records;
  const asExpected = !result.changed && record.status === "success" && record.from_balance_before === START &&
    record.from_balance_after === result.alice;
  return asExpected ? aliceHas(result.alice, "With one transfer alone nothing can go wrong.")
    : disturbed(succeeded(result.records) === 1 ? "The transfer" : "No transfer", result);
}

export function afterTwo(result) {
  if (isDoubleSpend(result)) {
    return aliceHas(result.alice, "Both succeeded this time: both had read $1000.00 before one of them deducted. Each statement " +
      "did what it should; only the moment was unlucky.");
  }
  if (isOneRefused(result)) {
    return aliceHas(result.alice, "This time one transfer read the balance after the other had deducted, so it was refused. Another " +
      "time both may read first: predict again, or make the race certain in the next step.");
  }
  return ofTwo(result);
}

export function afterBarrier(result) {
  return isDoubleSpend(result)
    ? aliceHas(result.alice, "Both had read $1000.00 before they checked, so both found it enough. $1600 were spent out of $1000, " +
      "every time.")
    : ofTwo(result);
}

export function afterFix(result) {
  return isOneRefused(result)
    ? aliceHas(result.alice, "One succeeded. The other had to wait for the row until the first had committed: the hatched band. Then " +
      "it read $200.00 and was refused.")
    : ofTwo(result);
}

// Names the value that a stale reader has read, and the write that it did not see. race: the model of raceModel() on
// the stage, or null.
export function readingOf(race) {
  const [miss] = race?.missed ?? [];
  return miss ? { now: `${miss.reader} read ${money(miss.valueRead)}.`, actual: money(miss.valueRead), why: missedExplanation(miss) }
    : null;
}

// The fixes that are none. believed: what people expect of it. asks: what the question is about, "alice" or "together".
// cure: a strategy that ends it.
const FIXES = {
  vulnerable: {
    title: "Check before you deduct",
    believed: "\u201cThe program reads the balance and deducts only if there is enough.\u201d The requirement says it like this.",
    asks: "alice",
    why: "After the check of one transfer, the other one still held the same $1000.00 that it had read. A check speaks of the " +
      "past: nothing keeps the row as it was.",
    cure: "for_update",
    ends: "Lock the row before it is read (SELECT ... FOR UPDATE), and hold it until the write is committed.",
  },
  absolute_update: {
    title: "Save the new balance",
    believed: "\u201cThe program computes the new balance and saves it, as the save() of an ORM does. CHECK (balance >= 0) guards " +
      "the table.\u201d",
    asks: "together",
    why: "Both read $1000.00, computed $200.00 and wrote it. The second write replaced the first: alice paid $800.00 once, and " +
      "bob and charlie each got $800.00. No balance is negative, so the CHECK finds nothing.",
    cure: "optimistic",
    ends: "Write only if the version of the row is still the one that was read. Or let the database subtract: SET balance = " +
      "balance - 800.",
  },
  subselect_predicate: {
    title: "Check in the WHERE, in a sub-select",
    believed: "\u201cThe check stands in the UPDATE itself: WHERE (SELECT balance ...) >= 800. One statement is atomic.\u201d",
    asks: "alice",
    why: "The second UPDATE waited for the row. Then PostgreSQL looked again at the row that it updates, but not at what the " +
      "sub-select had read: that was still $1000.00.",
    cure: "atomic_update",
    ends: "Put the check on the row that the UPDATE changes: WHERE id = 'alice' AND balance >= 800.",
  },
  cte_snapshot: {
    title: "Read and write in one statement",
    believed: "\u201cWITH reads the balance, UPDATE computes from it: nothing can come between, because it is one statement.\u201d",
    asks: "together",
    why: "The statement reads the snapshot with which it began. The second UPDATE waited for the row, and then wrote the $200.00 " +
      "that it had computed from $1000.00.",
    cure: "for_update",
    ends: "Read with FOR UPDATE, also inside the WITH. Or compute from the row itself: SET balance = balance - 800.",
  },
  process_mutex: {
    title: "A mutex in the program",
    believed: "\u201cA mutex lets one transfer at a time read, check and deduct.\u201d With one server that is right, so every test " +
      "on a laptop passes.",
    setting: "Here the second transfer plays a second server, whose mutex is another one: so it runs without this mutex, as " +
      "vulnerable does.",
    rival: "vulnerable",
    asks: "alice",
    why: "The mutex kept out no transfer of the other server, so both read $1000.00. A lock works only for those that take it.",
    cure: "advisory_lock",
    ends: "Take the lock where all servers meet: in the database, as a lock of the row or as an advisory lock.",
  },
};

// The words for a wrong strategy of GET /strategies; its own words where this file has none.
export function fixOf({ name, idea, watch_for: why }) {
  return { name, ...(FIXES[name] ?? { title: name, believed: `${idea}.`, asks: "alice", why: `${why}.`, cure: "for_update",
    ends: "Lock the row before it is read." }) };
}

export function afterWrongFix(fix, result) {
  if (fix.asks === "alice" ? !isDoubleSpend(result) : !isLostUpdate(result)) {
    return ofTwo(result);
  }
  return fix.asks === "alice" ? aliceHas(result.alice, fix.why)
    : { now: `All three together have ${money(result.together)}.`, actual: money(result.together), why: fix.why };
}

export function afterCure(fix, result) {
  return isOneRefused(result) && result.together === TOGETHER
    ? `Under ${fix.cure} one transfer succeeded and the other was refused: alice has ${money(result.alice)}, all three together have ` +
      `${money(result.together)}.`
    : ofTwo(result).disturbed.replace("Press an answer again.", "Press the button again.");
}

// "You predicted 3 of 5 right." scores: true or false for each prediction.
export function scoreWords(scores) {
  const right = scores.filter(Boolean).length;
  return scores.length === 0 ? "" : `You predicted ${right} of ${scores.length} right.`;
}

// Without those that need a standby: their race is not one of two transfers at once.
export function onePrimary(strategies) {
  return strategies.filter((strategy) => !strategy.needs_standby);
}

export function othersWords(strategies) {
  const shown = onePrimary(strategies);
  const safe = shown.filter((strategy) => strategy.safe).length;
  return `${safe - 1} more strategies are safe, and ${shown.length - safe} only look safe: the other tour shows each of them fail.`;
}
