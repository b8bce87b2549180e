// The sentences of the tours: the expected sentence is shown only where the records prove it.

import assert from "node:assert/strict";
import { test } from "node:test";

import {
  afterBarrier, afterCure, afterFix, afterOne, afterTwo, afterWrongFix, fixOf, othersWords, readingOf, scoreWords,
} from "../../server/page/tour_words.js";

const record = (before, after, more = {}) => ({
  status: "success", from_balance_before: before, from_balance_after: after, anomaly: null, ...more,
});
const refused = (balance) => record(balance, balance, { status: "failed_insufficient_funds" });
const DOUBLE = [record(1000, 200), record(1000, -600, { anomaly: "double_spend" })];
const LOST = [record(1000, 200), record(1000, 200, { anomaly: "lost_update" })];
const IN_TURN = [record(1000, 200), refused(200)];
const ELSEWHERE = /changed from elsewhere meanwhile/;
const result = (records, alice, more = {}) => ({ records, alice, together: 1700, changed: false, ...more });

test("one transfer", () => {
  assert.deepEqual(afterOne(result([record(1000, 900)], 900)),
    { now: "alice has $900.00.", actual: "$900.00", why: "With one transfer alone nothing can go wrong." });
  assert.match(afterOne(result([record(700, 600)], 600)).disturbed, ELSEWHERE);
  assert.match(afterOne(result([record(1000, 900)], 850)).disturbed, ELSEWHERE);
  assert.match(afterOne(result([refused(50)], 50)).disturbed, /No transfer succeeded and alice is at \$50.00 now/);
});

test("two at once", () => {
  assert.match(afterTwo(result(DOUBLE, -600)).why, /Both succeeded this time/);
  assert.match(afterTwo(result(IN_TURN, 200)).why, /so it was refused/);
  assert.match(afterTwo(result(DOUBLE, -600, { changed: true })).disturbed, ELSEWHERE);
  assert.match(afterTwo(result([refused(500), refused(500)], 500)).disturbed, /0 of 2 succeeded and alice is at \$500.00 now/);
  assert.match(afterTwo(result([record(1000, 200), record(1000, 200)], 200)).disturbed, ELSEWHERE); // a reset between
});

test("the barrier", () => {
  assert.equal(afterBarrier(result(DOUBLE, -600)).actual, "-$600.00");
  for (const said of [result(DOUBLE, -600, { changed: true }), result(IN_TURN, 200), result(DOUBLE, -500)].map(afterBarrier)) {
    assert.match(said.disturbed, ELSEWHERE);
    assert.equal(said.actual, undefined);
  }
});

test("the fix", () => {
  assert.match(afterFix(result(IN_TURN, 200)).why, /it read \$200.00 and was refused/);
  assert.match(afterFix(result([record(1000, 200), refused(100)], 100)).disturbed, ELSEWHERE);
  assert.match(afterFix(result(IN_TURN, 200, { changed: true })).disturbed, ELSEWHERE);
  assert.match(afterFix(result(DOUBLE, -600)).disturbed, ELSEWHERE);
});

test("the reading of the picture", () => {
  assert.equal(readingOf(null), null);
  assert.equal(readingOf({ missed: [] }), null);
  const missed = [{ reader: "B", writer: "A", readUs: 1000, writtenUs: 204000, valueRead: 1000, valueWritten: 200 }];
  assert.equal(readingOf({ missed }).actual, "$1000.00");
  assert.match(readingOf({ missed }).why, /^203 ms later A had written \$200.00. B did not look again/);
});

test("a fix that is none", () => {
  const overdraws = fixOf({ name: "subselect_predicate" });
  assert.equal(afterWrongFix(overdraws, result(DOUBLE, -600)).actual, "-$600.00");
  assert.match(afterWrongFix(overdraws, result(LOST, 200, { together: 2500 })).disturbed, ELSEWHERE);
  const loses = fixOf({ name: "cte_snapshot" });
  assert.equal(afterWrongFix(loses, result(LOST, 200, { together: 2500 })).actual, "$2500.00");
  assert.match(afterWrongFix(loses, result(LOST, 200)).disturbed, ELSEWHERE);
  assert.match(afterCure(loses, result(IN_TURN, 200)), /Under for_update one transfer succeeded and the other was refused/);
  assert.match(afterCure(loses, result(DOUBLE, -600)), /Press the button again/);
});

test("a strategy without words of its own speaks for itself", () => {
  const fix = fixOf({ name: "new_one", idea: "hope", watch_for: "It fails" });
  assert.deepEqual([fix.title, fix.believed, fix.why], ["new_one", "hope.", "It fails."]);
});

test("the end", () => {
  assert.equal(scoreWords([]), "");
  assert.equal(scoreWords([true, false, true]), "You predicted 2 of 3 right.");
  assert.match(othersWords([..."sssssssvwwww"].map((letter) => ({ safe: letter === "s" }))), /6 more strategies are safe, and 5 only/);
});
