// The sentences of the tour: the expected sentence is shown only where the records prove it.

import assert from "node:assert/strict";
import { test } from "node:test";

import { afterBarrier, afterFix, afterOne, afterTwo, readingOf } from "../../server/page/tour_words.js";

const record = (before, after, more = {}) => ({
  status: "success", from_balance_before: before, from_balance_after: after, anomaly: null, ...more,
});
const refused = (balance) => record(balance, balance, { status: "failed_insufficient_funds" });
const DOUBLE = [record(1000, 200), record(1000, -600, { anomaly: "double_spend" })];
const IN_TURN = [record(1000, 200), refused(200)];
const STRATEGIES = [..."ssssssswwwwww"].map((letter) => ({ safe: letter === "s" }));
const ELSEWHERE = /changed from elsewhere meanwhile/;

test("one transfer", () => {
  assert.match(afterOne([record(1000, 900)], 900, false), /alice had \$1000.00 and is at \$900.00 now, as expected/);
  assert.match(afterOne([record(700, 600)], 600, false), ELSEWHERE);
  assert.match(afterOne([record(1000, 900)], 850, false), ELSEWHERE);
  assert.match(afterOne([refused(50)], 50, false), /No transfer succeeded and alice is at \$50.00 now/);
});

test("two at once", () => {
  assert.match(afterTwo(DOUBLE, -600, false), /Both succeeded: alice is at −\$600.00/);
  assert.match(afterTwo(IN_TURN, 200, false), /One was refused this time: alice is at \$200.00/);
  assert.match(afterTwo(DOUBLE, -600, true), ELSEWHERE);
  assert.match(afterTwo([refused(500), refused(500)], 500, false), /0 of 2 succeeded and alice is at \$500.00 now/);
  assert.match(afterTwo([record(1000, 200), record(1000, 200)], 200, false), ELSEWHERE); // a reset came in between
});

test("the barrier", () => {
  assert.match(afterBarrier(DOUBLE, -600, false), /\$1600 were spent out of \$1000, every time/);
  for (const said of [afterBarrier(DOUBLE, -600, true), afterBarrier(IN_TURN, 200, false), afterBarrier(DOUBLE, -500, false)]) {
    assert.doesNotMatch(said, /1600/);
    assert.match(said, ELSEWHERE);
  }
});

test("the fix", () => {
  assert.match(afterFix(IN_TURN, 200, false, STRATEGIES), /read \$200.00 and was refused: alice is at \$200.00. .*6 more are safe, and 5 only look safe/);
  assert.match(afterFix([record(1000, 200), refused(100)], 100, false, STRATEGIES), ELSEWHERE);
  assert.match(afterFix(IN_TURN, 200, true, STRATEGIES), ELSEWHERE);
  assert.match(afterFix(DOUBLE, -600, false, STRATEGIES), ELSEWHERE);
});

test("the reading of the picture", () => {
  assert.match(readingOf(null), /no stale read/);
  assert.match(readingOf({ missed: [] }), /no stale read/);
  const missed = [{ reader: "B", writer: "A", readUs: 1000, writtenUs: 204000, valueRead: 1000, valueWritten: 200 }];
  assert.match(readingOf({ missed }), /Here B read \$1000.00. 203 ms later A had written \$200.00, and B did not look again/);
});
