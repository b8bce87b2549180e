// The contested row of a race, the order of its transfers and its money; and the sketches.

import assert from "node:assert/strict";
import { test } from "node:test";

import { raceModel } from "../../server/page/race_model.js";
import { differences, placesOf, standing, transactionOf } from "../../server/page/sketches.js";
import { layoutTimelines } from "../../server/page/timeline.js";
import { togetherSentence } from "../../server/page/words.js";
import { START_US, STRATEGIES, doubleSpend, lostUpdate, uncommittedWrite, underTheFix } from "./unit_race.js";

const model = (detail) => raceModel(detail, STRATEGIES);
const ms = (us) => (us === -Infinity ? null : (us - START_US) / 1000);
const versions = (detail) => model(detail).versions.map(({ value, letter, writtenUs, visibleUs, seenBy }) =>
  [value, letter, ms(writtenUs), ms(visibleUs), seenBy.map((each) => each.letter).join("")]);

test("a value changes at the commit of its write", () => {
  assert.deepEqual(versions(doubleSpend()), [[1000, null, null, null, "AB"], [200, "A", 202.9, 203.3, ""], [-600, "B", 204, 204.6, ""]]);
  assert.deepEqual(versions(uncommittedWrite()), [[1000, null, null, null, "AB"], [200, "A", 1, 5, ""], [-600, "B", 5.1, 9.2, ""]]);
});

test("the next writer and a reader of the new value bound an unrecorded commit", () => {
  const detail = underTheFix();
  detail.transfers[1].steps.at(-1).at_us = START_US + 206000; // the record says later than the lock of the waiter
  assert.deepEqual(versions(detail), [[1000, null, null, null, "A"], [200, "A", 203, 205.5, "B"]]);
  assert.deepEqual(versions(lostUpdate())[1], [200, "A", 2, 4.1, ""]);
  const late = lostUpdate();
  Object.assign(late.missed_writes[0], { read_at_us: START_US + 4500 }); // the record says earlier than the stale read
  assert.deepEqual(versions(late)[1], [200, "A", 2, 5, ""]);
  assert.equal(model(late).lanes[0].pieces.find(({ kind }) => kind === "commit").fromUs, START_US + 5000, "so is the mark");
});

test("a stale read bounds the commit from below", () => {
  const detail = uncommittedWrite();
  detail.transfers[1].steps[2].committed_at_us = START_US + 1200;
  assert.deepEqual(versions(detail)[1].slice(2, 4), [1, 1.701]);
});

test("a write of another client is a version of its own", () => {
  const detail = underTheFix();
  detail.transfers[1].steps.find(({ step }) => step === "deduct").value = 150;
  assert.deepEqual(model(detail).versions.map(({ value, letter }) => [value, letter]), [[950, null], [150, "A"]]);
});

test("a refused race has one version", () => {
  const detail = underTheFix();
  detail.transfers = detail.transfers.slice(0, 1);
  detail.transfers[0].blocked_by = [];
  assert.deepEqual(versions(detail), [[200, null, null, null, "A"]]);
});

test("a stale read and a write make a cycle, a fix makes none", () => {
  const edges = (detail) => model(detail).conflicts.edges.map(({ kind, from, to, in_cycle }) => [kind, from, to, in_cycle]);
  assert.deepEqual(edges(doubleSpend()), [["rw", "B", "A", true], ["ww", "A", "B", true]]);
  assert.deepEqual(model(doubleSpend()).conflicts.cycle, ["B", "A"]);
  assert.deepEqual(edges(lostUpdate()), [["rw", "B", "A", true], ["ww", "A", "B", true]]);
  assert.deepEqual(edges(underTheFix()), [["wr", "A", "B", false]]);
  assert.deepEqual(model(underTheFix()).conflicts.cycle, []);
});

test("a lost update makes money, an overdraft makes none", () => {
  const said = (detail) => {
    const race = model(detail);
    return togetherSentence(race.together, race.account, race.lowestBalance);
  };
  const bothFrom = (detail) => ({ ...detail, transfers: detail.transfers.map((each) => ({ ...each })) });
  assert.equal(said(bothFrom(lostUpdate())),
    "alice, bob and charlie together: $1700.00 before, $2500.00 after. $800.00 came from nothing.");
  assert.equal(said(doubleSpend()), "alice, bob and charlie together: $1700.00 before and after. " +
    "No money was made or lost, but alice has spent $600.00 that it did not have.");
});

test("a transaction has a begin and a bracket, a single statement has neither", () => {
  const draw = (detail) => layoutTimelines([model(detail)], {
    em: 16, measure: (text) => text.length * 9, width: 1300, upright: false })[0];
  const labels = (detail, kind) => model(detail).lanes.map((lane) => lane.pieces.filter((piece) => piece.kind === kind)
    .map(({ label, fromUs }) => [label, ms(fromUs)]));
  assert.deepEqual(labels(doubleSpend(), "begin"), [[], []]);
  assert.equal(draw(doubleSpend()).brackets.length, 0);
  assert.deepEqual(labels(doubleSpend(), "commit").flat().map(([label]) => label), ["recorded", "recorded"]);
  assert.deepEqual(labels(underTheFix(), "begin"), [[["BEGIN", 0.5]], [["BEGIN", 0.5]]]);
  assert.deepEqual(labels(underTheFix(), "commit").flat().map(([label]) => label), ["COMMIT", "COMMIT"]);
  assert.equal(draw(underTheFix()).brackets.length, 2);
});

test("a statement that reads and writes shows what it saw when it began", () => {
  const [, second] = model(lostUpdate()).lanes;
  assert.deepEqual(second.pieces.filter(({ kind }) => kind === "snapshot").map(({ label, fromUs, tone }) => [label, ms(fromUs), tone]),
    [["statement begins: sees $1000", 1.5, "stale"]]);
  const drawing = layoutTimelines([model(lostUpdate())], { em: 16, measure: (text) => text.length * 9, width: 1300, upright: false })[0];
  const mark = drawing.pieces.find(({ kind, letter }) => kind === "snapshot" && letter === "B");
  assert.ok(Math.abs(drawing.links[0].points[0][0] - mark.x) < 0.01, "the red line begins at the mark");
});

test("the step line stands between the lanes, falls below zero, and fits its labels", () => {
  for (const upright of [false, true]) {
    const [drawing] = layoutTimelines([model(doubleSpend())], { em: 16, measure: (text) => text.length * 9, width: 1300, upright });
    assert.deepEqual(drawing.row.parts.map(({ label, tone }) => [label, tone]), [["$1000", "plain"], ["$200", "plain"], ["-$600", "bad"]]);
    const along = drawing.row.parts.map(({ area }) => (upright ? area.y : area.x));
    assert.deepEqual(along, [...along].sort((one, other) => one - other));
    const across = drawing.row.parts.map(({ text }) => (upright ? text.x : text.y));
    const lanes = drawing.lanes.map(({ badge }) => (upright ? badge.x : badge.y));
    assert.ok(across.every((each) => each > lanes[0] && each < lanes[1]), String(across));
  }
});

test("steps have their lines, and a running transfer stands at the next one", () => {
  const [vulnerable, fix] = STRATEGIES.map(({ sketch }) => sketch);
  assert.deepEqual(placesOf(vulnerable, "delay"), [{ index: 1, pause: true }]);
  assert.deepEqual(placesOf(fix, "lock"), [{ index: 1, pause: false }]);
  const at = (steps, waitsAtBarrierSince = null) => standing(vulnerable, { steps: steps.map((step) => ({ step })), waitsAtBarrierSince });
  assert.deepEqual(at([]), [{ index: 0, pause: false }]);
  assert.deepEqual(at(["read"], 5), [{ index: 1, pause: true }]);
  assert.deepEqual(at(["read", "barrier"]), [{ index: 1, pause: false }]);
  assert.deepEqual(at(["read", "check", "deduct"]), [{ index: 3, pause: false }]);
  assert.equal(transactionOf(vulnerable), null);
});

test("what differs from another sketch is marked word by word", () => {
  const [vulnerable, fix] = STRATEGIES.map(({ sketch }) => sketch);
  const [begin, select, check, deduct, , commit] = differences(fix, vulnerable);
  assert.deepEqual(begin, [["BEGIN;", true]]);
  assert.deepEqual(select.filter(([, differs]) => differs), [["FOR UPDATE", true]]);
  assert.equal(select.map(([text]) => text).join(""), fix[1].line);
  assert.ok([check, deduct].every((parts) => parts.every(([, differs]) => !differs)));
  assert.deepEqual(commit, [["COMMIT;", true]]);
});

test("the commit of one transfer is not drawn at the commit of another", () => {
  const detail = lostUpdate();
  const [second] = detail.transfers;
  Object.assign(second, { anomaly: "double_spend" });
  second.steps = second.steps.filter(({ step }) => step !== "hold");
  second.steps[0].value = -600;
  second.steps.at(-1).at_us = START_US + 5001; // a record in the same transaction ends with its write
  detail.missed_writes[0].read_at_us = START_US + 4500;
  const [drawing] = layoutTimelines([model(detail)], { em: 16, measure: (text) => text.length * 9, width: 1300, upright: false });
  assert.deepEqual(drawing.row.parts.map(({ label }) => label), ["$1000", "$200", "-$600"]);
});
