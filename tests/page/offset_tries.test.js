// The races with different starts: their columns, and the sentence about all of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { OFFSETS, columnOf, lastWords, offsetWords, summaryOf, wholePlan } from "../../server/page/offset_tries.js";
import { VERDICTS } from "../../server/page/words.js";

const tried = (ms, verdict = "double_spend") => ({ ms, verdict });

test("there are 21 offsets, each tried three times", () => {
  assert.deepEqual([OFFSETS.length, OFFSETS[0], OFFSETS[10], OFFSETS[20]], [21, -5, 0, 5]);
  assert.equal(wholePlan().length, 63);
  assert.deepEqual(wholePlan().slice(0, 21), OFFSETS);
});

test("a race stands where its transfers arrived, and nowhere if they were further apart", () => {
  assert.deepEqual([-5, -0.2, 0, 0.3, 4.9, 30, -7].map(columnOf), [0, 10, 10, 11, 20, null, null]);
});

test("the sentence says where races went wrong", () => {
  assert.equal(summaryOf([]), "");
  assert.equal(summaryOf([tried(1, "clean")]), "1 race: none went wrong.");
  assert.equal(summaryOf([tried(-0.5), tried(0), tried(0.6), tried(3, "clean")]), "4 races: 3 went wrong, from -0.5 to 0.5 ms.");
  assert.equal(summaryOf([tried(0), tried(2)]), "2 races: 2 went wrong, at 0 ms, at 2 ms.");
  assert.equal(summaryOf([tried(0), tried(60)]), "2 races: 2 went wrong, at 0 ms. 1 arrived more than 5 ms apart and has no square.");
});

test("an offset in words", () => {
  assert.equal(offsetWords(0), "together with the transfer to bob");
  assert.equal(offsetWords(-1.5), "1.5 ms before the transfer to bob");
  assert.equal(lastWords({ wanted: -1.5, ms: -1.62, verdict: "clean" }, VERDICTS), "Clean. Wanted -1.5 ms, arrived -1.6 ms apart.");
});
