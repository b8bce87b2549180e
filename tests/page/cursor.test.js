// The stops of the time cursor, and the balances at each of them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { balancesAt, balancesOf, stopAt, stopWords, stopsOf } from "../../server/page/cursor_stops.js";
import { raceModel } from "../../server/page/race_model.js";
import { layoutTimelines } from "../../server/page/timeline.js";
import { doubleSpend, step, uncommittedWrite, underTheFix } from "./unit_race.js";

function scene(detail) {
  const race = raceModel(detail);
  const [drawing] = layoutTimelines([race], { em: 16, measure: (text) => text.length * 8, width: 1200, upright: false });
  const balances = balancesOf(race);
  return { race, drawing, balances, stops: stopsOf(race, drawing.pieces, balances) };
}

function at({ race, balances }, ms) {
  return Object.fromEntries(balancesAt(race, balances, ms).map(({ id, balance }) => [id, balance]));
}

const words = ({ stops }) => stops.map((stop) => stopWords(stop)).join("\n");

test("the cursor stops at every event, in the order of time", () => {
  const { stops } = scene(doubleSpend());
  stops.slice(1).forEach(({ ms }, index) => assert.ok(ms > stops[index].ms));
  assert.equal(stopWords(stops[0]), "0.0 ms: before the first step");
  assert.equal(stopWords(stops[1]), "0.5 ms: B reads alice: $1000.00; B waits at the barrier");
  assert.match(words({ stops }), /^1\.3 ms: A leaves the barrier: released; A sleeps 200 ms \(debug delay\); B leaves the barrier: released;/m);
  assert.match(words({ stops }), /^203\.3 ms: now committed by A: alice \$200\.00$/m);
});

test("a stop is where its mark is drawn", () => {
  for (const detail of [doubleSpend(), underTheFix(), uncommittedWrite()]) {
    const { stops, drawing } = scene(detail);
    for (const mark of drawing.pieces.filter(({ type }) => type === "mark")) {
      assert.ok(stops.some(({ ms }) => Math.abs(drawing.place(ms) - mark.x) < 0.01), `${mark.label} has a stop`);
    }
  }
});

test("the last stop that was reached", () => {
  const { stops } = scene(doubleSpend());
  assert.equal(stopAt(stops, 0), 0);
  assert.equal(stopAt(stops, stops[3].ms), 3);
  assert.equal(stopAt(stops, stops[3].ms + 0.01), 3);
  assert.equal(stopAt(stops, 1e6), stops.length - 1);
});

test("a balance changes when its write is committed, not when it is made", () => {
  const race = scene(doubleSpend());
  assert.deepEqual(at(race, 0), { alice: 1000, bob: 500, charlie: 200 });
  assert.deepEqual(at(race, 203.2), { alice: 1000, bob: 500, charlie: 200 });
  assert.deepEqual(at(race, 203.3), { alice: 200, bob: 500, charlie: 200 });
  assert.deepEqual(at(race, 300), { alice: -600, bob: 1300, charlie: 1000 });
});

test("the writes of a transaction are committed together, and an account that nobody writes keeps its balance", () => {
  const race = scene(underTheFix());
  assert.deepEqual(at(race, 203.9), { alice: 1000, bob: 500 });
  assert.deepEqual(at(race, 204), { alice: 200, bob: 1300 });
  assert.deepEqual(at(race, 500), { alice: 200, bob: 1300 });
  assert.match(words(race), /now committed by A: alice \$200\.00 and bob \$1300\.00/);
});

test("a refusal alone leaves the balance that it read", () => {
  const detail = underTheFix();
  detail.transfers = [detail.transfers[0]];
  detail.transfers[0].blocked_by = [];
  assert.deepEqual(at(scene(detail), 500), { alice: 200 });
});

test("a retry undoes the writes before it", () => {
  const detail = doubleSpend();
  const [, first] = detail.transfers;
  first.steps = [
    step("read", 1, 0.4, { account: "alice", value: 1000 }), step("deduct", 2, 1, { account: "alice", value: 200 }),
    step("retry", 3, 0, { outcome: "40001" }), step("read", 4, 0.4, { account: "alice", value: 1000 }),
    step("deduct", 5, 0.2, { account: "alice", value: 200 }), step("credit", 5, 0, { account: "bob", value: 1300 }),
    step("commit", 6, 0, { outcome: "committed" }),
  ];
  detail.transfers = [first];
  detail.missed_writes = [];
  const race = scene(detail);
  assert.deepEqual(at(race, 5.3), { alice: 1000, bob: 500 });
  assert.deepEqual(at(race, 5.4), { alice: 200, bob: 1300 });
});
