// The pure modules of the explorer's page: the document is checked, positions and waits are right, sentences are plain.

import assert from "node:assert/strict";
import { test } from "node:test";

import { BYTES_MAX, readDocument, tooLarge } from "../../server/page/explore_document.js";
import { alignedPositions, differsFromAll, isOnlyHere, readOrder, sessionAt, stepsLeftOut, tablesAt, waits } from "../../server/page/explore_order.js";
import { answersText, besideText, edgeText, levelText, outcomeName, positionText, sessionsText, whyText } from "../../server/page/explore_words.js";

const SESSIONS = ["A", "B"];

function step(name, { sql = "SELECT 1", until = null, blockedBy = [], answers = [] } = {}) {
  return { step: name, session: name[0], line: 1, sql, blocked_by: blockedBy, completed_after: until, answers };
}

function orderOf(...steps) {
  const numbered = steps.map((each, index) => ({ ...each, completed_after: each.completed_after ?? index + 1 }));
  return { order: numbered.map((each) => each.step), steps: numbered };
}

const UPDATED = { tag: "UPDATE 1", columns: [], not_compared: [], rows: [], undone: false };
const ABORTED = { error: { sqlstate: "40001", message: "could not serialize access" }, undone: false };

// B2 waits for A from its launch, the third step, until A2, the fourth one.
const WAITING = readOrder(orderOf(
  step("A1"), step("B1"), step("B2", { sql: "UPDATE t", until: 4, blockedBy: ["A"], answers: [UPDATED] }),
  step("A2", { sql: "COMMIT", answers: [{ ...UPDATED, tag: "COMMIT" }] }), step("B3", { sql: "COMMIT" })), SESSIONS);
// The same order at another level: B2 ends in an error, so B3 is left out.
const ABORTING = readOrder(orderOf(
  step("A1"), step("B1"), step("B2", { until: 4, blockedBy: ["A"], answers: [ABORTED] }), step("A2")), SESSIONS);

test("a session waits from the launch of its step until the answer", () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5].map((position) => sessionAt(WAITING, 1, position).state),
    ["before", "before", "between", "waiting", "between", "ended"]);
  assert.deepEqual([2, 3, 4].map((position) => waits(WAITING.steps[2], position)), [false, true, false]);
  assert.equal(sessionAt(ABORTING, 1, 4).state, "failed");
});

test("an answer that was waited for has a row of its own", () => {
  assert.deepEqual(WAITING.rows.map(({ step: { name }, continues, position }) => `${name}${continues ? "+" : ""}@${position}`),
    ["A1@1", "B1@2", "B2@3", "A2@4", "B2+@4", "B3@5"]);
  const never = readOrder(orderOf(step("A1", { until: 0, blockedBy: ["B"] }), step("B1")), SESSIONS);
  assert.deepEqual([1, 2].map((position) => sessionAt(never, 0, position).state), ["waiting", "waiting"]);
});

test("two orders are aligned by their sessions", () => {
  assert.deepEqual(alignedPositions(WAITING, ABORTING), [0, 1, 2, 3, 4, 4]);
  assert.deepEqual(stepsLeftOut(WAITING, ABORTING), ["B3"]);
  // B waits when its second step comes, so that step is passed over and comes last.
  const late = readOrder(orderOf(step("A1"), step("B1", { until: 3, blockedBy: ["A"] }), step("A2"), step("B2")), SESSIONS);
  const first = readOrder(orderOf(step("A1"), step("B1"), step("B2"), step("A2")), SESSIONS);
  assert.deepEqual(alignedPositions(first, late), [0, 1, 2, 2, 4]);
});

test("the tables at a position are those that the last change left", () => {
  const table = (name, value) => ({ table: name, columns: ["v"], not_compared: [], rows: [[value]] });
  const outcome = { state: [table("a", "end")], committed: [[table("a", "0"), table("b", "0")], [], [table("a", "2")], null] };
  assert.deepEqual(tablesAt(outcome, 1, 3).map(({ rows }) => rows[0][0]), ["0", "0"]);
  assert.deepEqual(tablesAt(outcome, 2, 3).map(({ rows }) => rows[0][0]), ["2", "0"]);
  assert.equal(tablesAt(outcome, 3, 3), outcome.state);
  assert.equal(tablesAt({ state: [] }, 1, 3), null);
  assert.equal(tablesAt({ ...outcome, committed: [[], null, [], []] }, 1, 3), null);
});

test("a row is marked if no serial outcome has it", () => {
  const table = (...rows) => ({ table: "t", columns: ["id", "at"], not_compared: ["at"], rows });
  const serial = [{ state: [table(["1", "x"], ["2", "x"])] }, { state: [table(["1", "y"], ["3", "y"])] }];
  assert.deepEqual([["1", "z"], ["2", "z"], ["4", "z"]].map((row) => isOnlyHere(table(row), row, serial)), [false, false, true]);
  assert.equal(differsFromAll([table(["2", "z"], ["3", "z"])], serial), true);
  assert.equal(differsFromAll([table(["2", "z"], ["1", "z"])], serial), false, "the order of the rows does not count");
});

test("answers are short and say what the statement does not say", () => {
  const read = (rows, columns = ["id", "n"]) => ({ tag: `SELECT ${rows.length}`, columns, not_compared: [], rows, undone: false });
  assert.equal(answersText({ sql: "SELECT", answers: [read([["1", null]])] }), "id=1, n=NULL");
  assert.equal(answersText({ sql: "SELECT", answers: [read([])] }), "no rows");
  assert.equal(answersText({ sql: "SELECT", answers: [read([["7"]], ["?column?"])] }), "7");
  assert.equal(answersText({ sql: "SELECT", answers: [read(Array(9).fill(["1", "2"]))] }).split("; ").at(-1), "9 rows in all");
  assert.equal(answersText({ sql: "commit", answers: [{ ...UPDATED, tag: "COMMIT" }] }), "");
  assert.equal(answersText({ sql: "COMMIT", answers: [{ ...UPDATED, tag: "ROLLBACK" }] }), "ROLLBACK");
  assert.equal(answersText({ sql: "UPDATE", answers: [ABORTED] }), "ERROR 40001 could not serialize access");
});

test("the sentences", () => {
  assert.equal(positionText(WAITING, 0), "Before the first of 5 steps.");
  assert.equal(positionText(WAITING, 3), "Step 3 of 5. B2 waits for A.");
  assert.equal(positionText(WAITING, 4), "Step 4 of 5. A2 COMMIT. B2 continues: UPDATE 1.");
  assert.equal(besideText(ABORTING, ["B3"]), "B2 waits for A. B2 ends with the error 40001. B3 cannot be launched.");
  assert.equal(besideText(readOrder(orderOf(step("A1")), SESSIONS), []), "No step waits, and none fails.");
  const plain = { kind: "serial", name: null, invariants: [], deadlock: false, steps: [] };
  assert.equal(outcomeName(plain), "serial");
  assert.equal(outcomeName({ ...plain, kind: "anomaly", invariants: ["one", "two"] }), "not serializable: unnamed; invariants one and two fail");
  assert.equal(outcomeName({ ...plain, steps: [{ answers: [ABORTED] }] }), "serial, after an abort: retry it");
  assert.equal(sessionsText([{ session: "A" }, { session: "A" }, { session: "B" }]), "A, then B");
  const edge = { from: "A", to: "B", kind: "wr", table: "t", row: null, from_step: "A1", to_step: "B1", in_cycle: true };
  assert.equal(edgeText(edge), "B1 read rows of t after A1 had changed it. So A comes before B.");
  const cycle = (names) => whyText({ kind: "anomaly", graph: { edges: [], cycle: names } }, []);
  assert.match(cycle(["A", "B"]), /^A serial order would need A before B and B before A\. No order has both,/);
  assert.match(cycle(["A", "B", "C"]), /^A serial order would need A before B, B before C and C before A\. No order has all of them,/);
  const numbers = { orders: 70, anomalous: 40, broken: 0, new_errors: 0, blocked: 0, aborted: 1, complete: false, incomplete_because: "the limit of orders was reached" };
  assert.equal(levelText(numbers), "40 of 70 orders have an outcome that no serial order has. In 1 order the server aborts a " +
    "transaction, which must be retried. The search is not complete: the limit of orders was reached.");
  assert.equal(levelText({ ...numbers, anomalous: 0, aborted: 0, complete: true }), "No finding in 70 orders.");
});

test("a document is checked before anything is drawn", () => {
  const good = { version: 1, unit: "session", cases: [] };
  assert.deepEqual(readDocument(JSON.stringify(good)), { found: good });
  for (const [text, part] of [
    ["{", "It is no JSON"], ["[]", "the document is not an object"], ["7", "the document is not an object"],
    ['{"version": 1, "unit": "session"}', 'the document has no member "cases"'],
    ['{"version": 1, "unit": "session", "cases": {}}', "cases is not a list"],
    ['{"version": 1, "unit": "session", "cases": [null]}', "cases[0] is not an object"],
    ['{"version": 1, "unit": 3, "cases": []}', "unit is not a text"],
    ['{"version": "1", "unit": "session", "cases": []}', "its version is 1"],
    ['{"__proto__": {"version": 1}, "cases": []}', 'the document has no member "version"'],
  ]) {
    assert.ok(readDocument(text).problem.includes(part), `${text}: ${readDocument(text).problem}`);
  }
});

test("a large file is refused before it is read", () => {
  assert.equal(tooLarge(BYTES_MAX), null);
  assert.match(tooLarge(BYTES_MAX + 1), /at most 16\.0 MiB/);
});
