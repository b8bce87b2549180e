// The axis in true scale: its parts, the strip, and labels at its end.

import assert from "node:assert/strict";
import { test } from "node:test";

import { placeMoments, scaleParts, tickWords } from "../../server/page/axis.js";
import { raceModel } from "../../server/page/race_model.js";
import { layoutTimelines } from "../../server/page/timeline.js";
import { doubleSpend, underTheFix } from "./unit_race.js";

const EM = 16;
const measure = (text, tone = "plain") => text.length * EM * (tone === "plain" ? 0.55 : 0.6);
const layout = (options, ...details) => layoutTimelines(details.map((detail) => raceModel(detail)), { em: EM, measure, width: 1200, upright: false, ...options });

test("an axis says where it is cut and where it is stretched", () => {
  const axis = { times: [0, 1, 201, 202], places: [0, 300, 600, 900] };
  assert.deepEqual(scaleParts(axis, 202, 5), [
    { kind: "stretched", from: 0, to: 300 }, { kind: "cut", from: 300, to: 600 }, { kind: "stretched", from: 600, to: 900 }]);
  assert.deepEqual(scaleParts({ times: [0, 1, 2], places: [0, 100, 200] }, 2, 5), [{ kind: "even", from: 0, to: 200 }]);
  assert.deepEqual(scaleParts({ times: [0], places: [0] }, 0, 5), []);
});

test("200 ms of delay are cut short in both directions of the picture", () => {
  for (const upright of [false, true]) {
    for (const { scale } of layout({ upright, width: upright ? 330 : 1200 }, doubleSpend(), underTheFix())) {
      assert.ok(scale.parts.some(({ kind }) => kind === "cut"), `upright: ${upright}`);
      assert.ok(scale.parts.some(({ kind }) => kind === "stretched"), `upright: ${upright}`);
    }
  }
});

test("the strip is in true scale and as long as the axis", () => {
  const [{ scale, place, pieces }] = layout({}, doubleSpend());
  const end = Math.max(...pieces.map(({ to }) => to));
  assert.ok(Math.abs(scale.along(end) - place(end)) < 0.01 && Math.abs(scale.along(0) - place(0)) < 0.01);
  assert.ok(Math.abs(scale.along(end / 2) - (place(0) + place(end)) / 2) < 0.01);
  assert.equal(scale.marks.length, pieces.filter(({ type }) => type === "mark").length);
  assert.ok(scale.fans.length > 3 && scale.fans.every(({ to }) => to >= scale.from && to <= scale.to + 0.01));
});

test("a label at the end stands before its mark where there is no room behind it", () => {
  const times = [0, 10, 90];
  const rooms = [{ from: 0, to: 1, length: 100 },
    { from: 2, to: null, length: 300, before: { from: 1, length: 330 } }];
  const roomy = placeMoments(times, rooms, { extent: 900, least: 5, unit: 16 });
  assert.equal(roomy.folded.size, 0);
  const crowded = placeMoments(times, rooms, { extent: 440, least: 5, unit: 16 });
  assert.equal(crowded.length, 440);
  assert.ok(crowded.folded.has(rooms[1]) && crowded.places[2] - crowded.places[1] >= 330);
});

test("a picture too narrow for its last label turns the label round", () => {
  const ends = (width) => layout({ width }, underTheFix())[0].pieces
    .filter(({ type, label }) => type === "mark" && label.endsWith("refused"));
  const [wide] = ends(2000);
  assert.equal(wide.text.anchor, "start");
  const widths = [2000, 1500, 1300, 1200, 1100, 1000].filter((width) => {
    const [mark] = ends(width);
    const right = mark.text.anchor === "end" ? mark.text.x : mark.text.x + measure(mark.label, mark.tone);
    return right > Math.max(width, layout({ width }, underTheFix())[0].width);
  });
  assert.deepEqual(widths, []);
});

test("a tick has its unit", () => {
  assert.deepEqual([0, 0.5, 200, 1000, 1500].map(tickWords), ["0 ms", "0.5 ms", "200 ms", "1 s", "1.5 s"]);
  const [{ ticks }] = layout({ upright: true, width: 330 }, doubleSpend());
  assert.ok(ticks.every(({ text }) => / m?s$/.test(text.lines[0])));
});
