// All rounds at once: the verdicts, the marks on the common axis, the order of the lanes and their places.

import assert from "node:assert/strict";
import { test } from "node:test";

import { axisTicks, axisUs, inOrder, laneGrid, roundOf, tallyOf, withSteps } from "../../server/page/rounds_model.js";
import { doubleSpend, underTheFix } from "./unit_race.js";

const drawn = (number, race) => withSteps(roundOf(number, race.transfers), race.transfers);

test("a round has the worst verdict of its transfers", () => {
  const verdict = (...records) => roundOf(1, records.map((record) => ({ id: "x", anomaly: null, ...record }))).verdict;
  assert.equal(verdict({}, { anomaly: "double_spend", race_detected: true }), "double_spend");
  assert.equal(verdict({ anomaly: "stale_read", race_detected: true }, { anomaly: "lost_update" }), "lost_update");
  assert.equal(verdict({ race_detected: true }, {}), "stale_read");
  assert.equal(verdict({}, {}), "clean");
});

test("the tally counts the rounds that raced", () => {
  const rounds = [drawn(1, doubleSpend()), drawn(2, underTheFix()), drawn(3, doubleSpend())];
  assert.deepEqual(tallyOf(rounds), { rounds: 3, raced: 2, doubleSpends: 2, lostUpdates: 0 });
});

test("a lane has reads, checks and writes of both, and only the last write is wrong", () => {
  const { transfers, gapUs } = drawn(1, doubleSpend());
  assert.deepEqual(transfers.map(({ id }) => id), ["first", "second"]); // the first writer is at the top
  assert.deepEqual(transfers.map(({ marks }) => marks.map(({ kind, bad }) => `${kind}${bad ? "!" : ""}`)),
    [["read", "check", "write"], ["read", "check", "write!"]]);
  assert.equal(transfers[1].marks[0].us, 500); // the first read begins at 0
  assert.equal(gapUs, 700);
});

test("a round whose steps are not all there stays without marks", () => {
  const { transfers } = doubleSpend();
  assert.equal(withSteps(roundOf(1, transfers), [transfers[0]]).transfers, null);
  assert.equal(withSteps(roundOf(1, transfers), transfers.map((each) => ({ ...each, steps: [] }))).transfers, null);
});

test("one slow round does not squeeze the others", () => {
  const usual = Array.from({ length: 40 }, (_, index) => drawn(index + 1, doubleSpend()));
  const slow = { ...usual[0], transfers: [{ id: "x", marks: [{ kind: "write", us: 9e6, bad: false }] }] };
  assert.ok(axisUs([...usual, slow]) < 300_000);
  assert.ok(axisUs([slow]) > 9e6);
  assert.equal(axisUs([]), 1000);
  assert.deepEqual(axisTicks(220_000, 5), [0, 50, 100, 150, 200]);
  assert.deepEqual(axisTicks(1000, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
});

test("the lanes can stand in the order of the time between the reads", () => {
  const rounds = [{ number: 1, gapUs: 900 }, { number: 2, gapUs: null }, { number: 3, gapUs: 20 }];
  assert.deepEqual(inOrder(rounds, "gap").map(({ number }) => number), [3, 1, 2]);
  assert.deepEqual(inOrder(rounds, "run").map(({ number }) => number), [1, 2, 3]);
});

test("a thousand lanes have room in columns, and on a phone in one", () => {
  assert.deepEqual(laneGrid(20, 1300), { columns: 1, rows: 20, laneHeight: 18, columnWidth: 1300 });
  const wide = laneGrid(1000, 1300);
  assert.deepEqual([wide.columns, wide.rows, wide.laneHeight], [5, 200, 4]);
  assert.deepEqual([laneGrid(1000, 300).columns, laneGrid(1000, 300).rows], [1, 1000]);
  assert.equal(laneGrid(0, 300).rows, 1);
});
