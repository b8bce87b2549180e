// The model that the page makes of the server's answers: lanes, pieces, words, verdicts; and of the events while a race
// runs.

import assert from "node:assert/strict";
import { test } from "node:test";

import { LiveRaces } from "../../server/page/live_races.js";
import { LANES_MAX, microseconds, raceModel } from "../../server/page/race_model.js";
import { missedLabel, missedSentence, missedExplanation, money, shortMoney, sentence, verdictSentence } from "../../server/page/words.js";
import { START_US, doubleSpend, step, uncommittedWrite, underTheFix } from "./unit_race.js";

test("money has its sign before the currency, and cents only where there are any", () => {
  assert.equal(money(-600), "-$600.00");
  assert.equal(money(0.1 + 0.2), "$0.30");
  assert.equal(shortMoney(1000), "$1000");
  assert.equal(shortMoney(-12.5), "-$12.50");
});

test("a timestamp keeps its microseconds", () => {
  assert.equal(microseconds("2026-01-31T12:34:56.789012Z"), START_US + 789012);
  assert.equal(microseconds("2026-01-31T12:34:56Z"), START_US);
});

test("the letters follow the targets, whoever writes first", () => {
  const race = raceModel(doubleSpend());
  assert.deepEqual(race.lanes.map(({ letter, to }) => [letter, to]), [["A", "bob"], ["B", "charlie"]]);
  assert.deepEqual(race.missed.map(({ reader, writer }) => [reader, writer]), [["B", "A"]]);
  const detail = doubleSpend();
  detail.transfers.forEach((each) => { each.to_account = each.to_account === "bob" ? "charlie" : "bob"; });
  const other = raceModel(detail);
  assert.deepEqual(other.lanes.map(({ letter, id }) => [letter, id]), [["A", "second"], ["B", "first"]]);
  assert.deepEqual(other.missed.map(({ reader, writer }) => [reader, writer]), [["A", "B"]]);
  assert.deepEqual(other.versions.map(({ value, letter }) => [value, letter]), [[1000, null], [200, "B"], [-600, "A"]]);
});

test("transfers to one target keep the order in which they came", () => {
  const transfers = ["e", "d", "c"].map((id) => ({ ...doubleSpend().transfers[0], id }));
  assert.deepEqual(raceModel({ transfers }).lanes.map(({ letter, id }) => letter + id), ["Ae", "Bd", "Cc"]);
});

test("the stale read and the double spend stand out, nothing else does", () => {
  const marked = raceModel(doubleSpend()).lanes.flatMap((lane) => lane.pieces
    .filter(({ tone }) => tone === "stale" || tone === "bad").map(({ kind, tone, label }) => [lane.letter, kind, tone, label]));
  assert.deepEqual(marked, [["B", "read", "stale", "reads $1000"], ["B", "deduct", "bad", "deducts \u2192 -$600"]]);
});

test("a lock wait is labelled with who blocks, and a short one of its own is not", () => {
  const [winner, waiter] = raceModel(underTheFix()).lanes;
  const locks = (lane) => lane.pieces.filter(({ type, kind }) => type === "band" && kind === "lock");
  assert.deepEqual(locks(waiter).map(({ label, tone }) => [label, tone]), [["waits for A", "blocked"]]);
  assert.deepEqual(locks(winner).map(({ label, tone }) => [label, tone]), [["", "plain"]]);
});

test("the words say every moment, in order, and why the last deduct is wrong", () => {
  const { rows } = raceModel(doubleSpend());
  assert.deepEqual(rows.map(({ us }) => us), [...rows.map(({ us }) => us)].sort((one, other) => one - other));
  assert.ok(rows.some(({ letter, text, tone }) => letter === "B" && tone === "bad" &&
    text === "deducts $800.00: alice is -$600.00 (it had read $1000.00, but found $200.00)"));
  assert.ok(rows.some(({ text }) => text === "checks $1000.00 >= $800.00: enough"));
  assert.ok(raceModel(underTheFix()).rows.some(({ text }) => text === "has the locks after 205 ms (held by A), reads alice: $200.00"));
});

const said = (race) => race.missed.map((miss) => [
  missedSentence(miss, (us) => `${((us - START_US) / 1000).toFixed(1)} ms`), missedLabel(miss), missedExplanation(miss),
]);

test("a write after the read is said to come after it", () => {
  const [[sentence, label, explanation]] = said(raceModel(doubleSpend()));
  assert.equal(sentence, "B read $1000.00 at 0.5 ms. It never saw that A wrote $200.00 at 202.9 ms.");
  assert.equal(label, "stale: A wrote $200 since");
  assert.match(explanation, /^202 ms later A had written \$200\.00\. B did not look again: /);
});

test("a write before the read was not committed, and nothing is said to be later", () => {
  const [[sentence, label, explanation]] = said(raceModel(uncommittedWrite()));
  assert.equal(sentence, "A had written $200.00 at 1.0 ms but not committed it when B read $1000.00 at 1.7 ms: B could not see it.");
  assert.equal(label, "stale: A had written $200, not committed");
  assert.match(explanation, /^Here A had already written \$200\.00, but not committed it\. So B could not see it and read /);
  for (const text of [sentence, label, explanation]) {
    assert.doesNotMatch(text, /later|since|never saw|-\d/);
  }
});

test("a write of another account is named as one", () => {
  const detail = uncommittedWrite();
  Object.assign(detail.missed_writes[0], { account: "bob" });
  assert.match(said(raceModel(detail))[0][0], /^A had written \$200\.00 to bob at 1\.0 ms/);
});

test("a write is a bar until its commit is known", () => {
  const [first] = raceModel(uncommittedWrite()).lanes;
  const bars = first.pieces.filter(({ kind }) => kind === "committing");
  assert.deepEqual(bars.map(({ fromUs, toUs }) => [fromUs - START_US, toUs - START_US]), [[1000, 5000], [5400, 9000]]);
  assert.ok(raceModel(uncommittedWrite()).rows.some(({ text }) =>
    text === "deducts $800.00: alice is $200.00, committed within 4.0 ms"));
});

test("there is a commit only where one commit ends the transfer", () => {
  const ends = (detail) => raceModel(detail).lanes.flatMap((lane) => lane.pieces.filter(({ kind }) => kind === "commit")
    .map(({ label }) => label));
  assert.deepEqual(ends(doubleSpend()), ["recorded", "recorded"]);
  assert.deepEqual(ends(underTheFix()), ["commit", "ends"]);
  const words = (detail) => raceModel(detail).rows.map(({ text }) => text).filter((text) => /^(ends|done|commits)/.test(text));
  assert.deepEqual(words(doubleSpend()), Array(2).fill("done: each statement has committed on its own"));
  assert.deepEqual(words(underTheFix()).sort(), ["commits", "ends: refused"]);
});

test("the write that overwrote another is the one that stands out", () => {
  const detail = doubleSpend();
  const [second] = detail.transfers;
  second.anomaly = "lost_update";
  second.steps.find(({ step: name }) => name === "credit").outcome = "overwrote";
  const marked = raceModel(detail).lanes[1].pieces.filter(({ tone }) => tone === "bad").map(({ label }) => label);
  assert.deepEqual(marked, ["overwrites charlie \u2192 $1000"]);
});

test("one sentence describes a race", () => {
  assert.equal(verdictSentence(raceModel(doubleSpend())), "Both succeeded; alice went down to -$600.00.");
  assert.equal(verdictSentence(raceModel(underTheFix())), "1 succeeded, 1 refused; alice went down to $200.00.");
  const refused = { ...raceModel(doubleSpend()), succeeded: 0, refused: 2, together: null };
  assert.equal(verdictSentence(refused), "2 refused; alice stayed at -$600.00.");
});

test("an account from which nothing was taken stayed where it was", () => {
  const race = { account: "alice", lowestBalance: -600, succeeded: 0, refused: 2, lanes: [{}, {}], finished: true };
  assert.equal(verdictSentence(race), "2 refused; alice stayed at -$600.00.");
});

test("a sentence begins with a capital, a name of SQL does not", () => {
  assert.equal(sentence("read, check, then deduct"), "Read, check, then deduct.");
  assert.equal(sentence("pg_advisory_xact_lock on both ids"), "pg_advisory_xact_lock on both ids.");
});

test("more transfers than can be drawn are counted", () => {
  const detail = doubleSpend();
  detail.transfers = Array.from({ length: LANES_MAX + 3 }, (_, index) => ({ ...detail.transfers[1], id: `t${index}` }));
  const race = raceModel({ transfers: detail.transfers });
  assert.equal(race.lanes.length, LANES_MAX);
  assert.equal(race.undrawn, 3);
});

function admitted(id, account = "alice") {
  return { id, from_account: account, to_account: "bob", amount: 800, strategy: "vulnerable", at_us: START_US };
}

test("transfers of one account that overlap are one race, others are not", () => {
  const live = new LiveRaces();
  const group = live.take("admitted", admitted("a"));
  assert.equal(live.take("admitted", admitted("b")), group);
  assert.notEqual(live.take("admitted", admitted("c", "bob")), group);
  live.take("transfer", { id: "a", status: "success", steps: [] });
  assert.equal(group.finished, false);
  assert.equal(live.take("admitted", admitted("d")), group);
  live.take("transfer", { id: "b", status: "success", steps: [] });
  live.take("transfer", { id: "d", status: "failed_insufficient_funds", steps: [] });
  assert.equal(group.finished, true);
  assert.notEqual(live.take("admitted", admitted("e")), group);
});

test("a transfer under way shows where it stands", () => {
  const live = new LiveRaces();
  live.take("admitted", admitted("a"));
  live.take("step", { id: "a", ...step("read", 1, 1, { account: "alice", value: 1000 }) });
  const group = live.take("barrier_arrival", { id: "a", waiting: 1, parties: 2, at_us: START_US + 1000 });
  const open = () => raceModel({ transfers: group.transfers }).lanes[0].pieces.at(-1);
  assert.deepEqual([open().label, open().toUs], ["waits at the barrier", null]);
  live.take("step", { id: "a", ...step("barrier", 9, 8, { parties: 2, outcome: "released" }) });
  assert.deepEqual([open().kind, open().fromUs], ["open", START_US + 9000]);
  live.take("transfer", { id: "a", status: "success", steps: [step("read", 1, 1, { account: "alice", value: 1000 })] });
  assert.equal(raceModel({ transfers: group.transfers }).finished, true);
});

test("events of unknown transfers change nothing", () => {
  const live = new LiveRaces();
  assert.equal(live.take("step", { id: "x", ...step("read", 1) }), null);
  assert.equal(live.take("transfer", { id: "x", status: "success", steps: [] }), null);
  live.take("admitted", admitted("a"));
  live.clear();
  assert.equal(live.take("step", { id: "a", ...step("read", 1) }), null);
});
