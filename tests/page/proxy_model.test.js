// The proxy's units as lanes, the history of a row, and the rules as a switch.

import assert from "node:assert/strict";
import { test } from "node:test";

import { findingModel, recentModel, rowSteps, rulesOf, rulesText } from "../../server/page/proxy_model.js";
import { layoutTimelines } from "../../server/page/timeline.js";

const NOTHING = { sqlstate: null, hold: null, waits_for: null, found_read: false, found_write: false };
const statement = (summary, sent, done, more = {}) => ({ ...NOTHING, sql: summary, summary, tag: summary, sent_us: sent, done_us: done, ...more });
const unit = (id, from, statements, more = {}) => ({
  id, session: id, backend_pid: id, transaction: true, end: "committed", from_us: from, to_us: statements.at(-1)?.done_us ?? null,
  finding: null, statements, left_out: 0, hold: null, ...more,
});
const HOLD = { place: "before write accounts", from_us: 2000, to_us: 3000, ending: "complete" };

const transfer = (id, from) => unit(id, from, [
  statement("BEGIN", from, from + 100),
  statement("SELECT accounts", from + 200, from + 300, { found_read: true }),
  statement("UPDATE accounts", from + 3100, from + 3200, { found_write: true, hold: HOLD }),
  statement("COMMIT", from + 3300, from + 3400),
]);

test("a finding has the line from the read to the write that was missed", () => {
  const model = findingModel({ units: [transfer(2, 50), transfer(1, 0)] });
  assert.deepEqual(model.lanes.map(({ letter, heading }) => [letter, heading.title]), [["A", "session 2"], ["B", "session 1"]]);
  assert.deepEqual(model.lanes[0].pieces.map(({ kind, tone }) => [kind, tone]), [
    ["begin", "plain"], ["read", "stale"], ["barrier", "plain"], ["deduct", "bad"], ["commit", "plain"]]);
  assert.deepEqual([model.missed[0].readUs, model.missed[0].writtenUs], [350, 3200]);
  const measure = (text) => text.length * 8;
  for (const upright of [false, true]) {
    const [drawing] = layoutTimelines([model], { em: 16, measure, upright, width: 1000, nowUs: 5000 });
    assert.equal(drawing.brackets.length, 2);
    assert.ok(drawing.pieces.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
  }
});

test("the history of the row is in the order of time", () => {
  assert.deepEqual(rowSteps([transfer(2, 50), transfer(1, 0)]).map(({ text }) => text[0] + text.split(" ").at(-1)), [
    "Bit", "Ait", "Byet", "Ayet", "Bnow", "Anow"]);
});

test("an error, a wait and a running statement are drawn", () => {
  const model = recentModel([unit(1, 0, [
    statement("UPDATE accounts", 0, 9000, { waits_for: 7, sqlstate: "40001" }), statement("", 9100, null, { sql: "select pg_sleep(1)", tag: null }),
  ], { end: "open" })]);
  assert.deepEqual(model.lanes[0].pieces.map(({ label }) => label), ["waits for session 7", "updates accounts: ERROR 40001", "SELECT"]);
  assert.equal(model.finished, false);
});

test("only units that belong together are drawn, oldest first", () => {
  const all = [transfer(3, 9_000_000), transfer(2, 8_999_000), transfer(1, 0)];
  assert.deepEqual(recentModel(all).lanes.map(({ unit: { id } }) => id), [2, 3]);
  assert.equal(recentModel([]), null);
  assert.equal(recentModel([unit(1, 0, [])]), null);
});

test("the default rule is a switch", () => {
  const rules = ["after select a delay 5", "before write * if-read barrier 3"];
  assert.deepEqual(rulesOf(rules), { force: true, waiters: 3, other: ["after select a delay 5"] });
  assert.deepEqual(rulesOf([]), { force: false, waiters: null, other: [] });
  assert.equal(rulesText(true, 3, "after select a delay 5\n"), "before write * if-read barrier 3\nafter select a delay 5");
  assert.equal(rulesText(false, 2, " "), "");
});
