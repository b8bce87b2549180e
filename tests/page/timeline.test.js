// The layout of the timelines: it keeps the order, nothing overlaps, and both pictures have one scale.

import assert from "node:assert/strict";
import { test } from "node:test";

import { interpolate, placeMoments, ticks } from "../../server/page/axis.js";
import { raceModel } from "../../server/page/race_model.js";
import { layoutTimelines, wrap } from "../../server/page/timeline.js";
import { STRATEGIES, doubleSpend, uncommittedWrite, underTheFix } from "./unit_race.js";

const EM = 16;
const measure = (text, tone = "plain") => text.length * EM * (tone === "plain" ? 0.55 : 0.6);

function layout(options, ...details) {
  return layoutTimelines(details.map((detail) => raceModel(detail, STRATEGIES)), { em: EM, measure, width: 1200, upright: false, ...options });
}

function boxesOfText(drawing) {
  return drawing.pieces.filter(({ text }) => text.lines.join("") !== "").map(({ text, tone, label }) => {
    const width = Math.max(...text.lines.map((line) => measure(line, tone)));
    const left = text.anchor === "middle" ? text.x - width / 2 : text.x;
    const height = (text.lines.length - 1) * 1.25 * EM + EM;
    return { label, left, right: left + width, top: text.y - height / 2, bottom: text.y + height / 2 };
  });
}

function assertApart(boxes) {
  boxes.forEach((one, index) => boxes.slice(index + 1).forEach((other) => {
    const apart = one.right <= other.left || other.right <= one.left || one.bottom <= other.top || other.bottom <= one.top;
    assert.ok(apart, `"${one.label}" lies on "${other.label}"`);
  }));
}

for (const upright of [false, true]) {
  for (const width of [320, 700, 1200, 2000]) {
    test(`no label lies on another: ${upright ? "upright" : "lying"}, ${width} px`, () => {
      for (const drawing of layout({ upright, width }, doubleSpend(), underTheFix(), uncommittedWrite())) {
        assertApart(boxesOfText(drawing));
      }
    });
  }
}

test("a crowd of racers is laid out without overlap as well", () => {
  const detail = doubleSpend();
  const one = detail.transfers[1];
  detail.transfers = Array.from({ length: 6 }, (_, index) => ({
    ...one, id: `t${index}`, steps: one.steps.map((step) => ({ ...step, at_us: step.at_us + index * 137 })),
  }));
  detail.missed_writes = [];
  delete detail.race;
  for (const upright of [false, true]) {
    assertApart(boxesOfText(layout({ upright }, detail)[0]));
  }
});

test("both pictures have one scale", () => {
  const [race, fix] = layout({}, doubleSpend(), underTheFix());
  for (const ms of [0, 1, 100, 202, 205, 400]) {
    assert.equal(race.place(ms), fix.place(ms));
  }
  assert.deepEqual(race.ticks.map(({ text }) => text.lines), fix.ticks.map(({ text }) => text.lines));
  assert.equal(race.width, fix.width);
});

test("what happens later is drawn later, whichever lane it is in", () => {
  const model = raceModel(doubleSpend());
  const [drawing] = layout({}, doubleSpend());
  const marks = drawing.pieces.filter(({ type }) => type === "mark").sort((one, other) => one.from - other.from);
  marks.slice(1).forEach((mark, index) => assert.ok(mark.x >= marks[index].x, `${mark.label} before ${marks[index].label}`));
  assert.equal(marks.length, model.lanes.length * 5);
});

test("the line joins the stale read to the write it missed", () => {
  const [drawing] = layout({}, doubleSpend());
  const [link] = drawing.links;
  const read = drawing.pieces.find(({ kind, tone }) => kind === "read" && tone === "stale");
  const write = drawing.pieces.find(({ kind, tone }) => kind === "deduct" && tone === "plain");
  assert.ok(Math.abs(link.points[0][0] - read.x) < 1);
  assert.ok(Math.abs(link.points.at(-1)[0] - write.x) < 1);
  assert.notEqual(read.y, write.y);
});

test("the line to a write before the read is as long, and has room for its label", () => {
  const [drawing] = layout({}, uncommittedWrite());
  const [link] = drawing.links;
  const [read, write] = [link.points[0][0], link.points.at(-1)[0]];
  assert.ok(write < read);
  assert.ok(read - write >= measure(link.text.lines[0], "stale"));
  assert.ok(link.reveal >= read);
});

test("the picture fills its room and keeps within it", () => {
  for (const width of [1310, 1400, 2000]) {
    const drawings = layout({ width }, doubleSpend(), underTheFix());
    drawings.forEach((drawing) => assert.ok(Math.abs(drawing.width - width) < 1, `${drawing.width} of ${width}`));
  }
});

test("upright, two lanes fit into a phone", () => {
  const [drawing] = layout({ upright: true, width: 330 }, doubleSpend());
  assert.ok(drawing.width <= 331, String(drawing.width));
});

test("a race under way ends now", () => {
  const detail = doubleSpend();
  detail.transfers = [{ ...detail.transfers[1], status: null, steps: detail.transfers[1].steps.slice(0, 1) }];
  delete detail.race;
  detail.missed_writes = [];
  const model = raceModel(detail);
  const [early, late] = [10, 500].map((ms) => layoutTimelines([model],
    { em: EM, measure, width: 1200, upright: false, nowUs: model.startUs + ms * 1000 })[0]);
  assert.equal(early.pieces.at(-1).to, 10);
  assert.equal(late.pieces.at(-1).to, 500);
});

test("nothing is drawn of nothing", () => {
  assert.deepEqual(layout({}), []);
});

test("an axis keeps the order and the rooms, and is as long as it may be", () => {
  const times = [0, 1, 1.5, 300];
  const rooms = [{ from: 0, to: 2, length: 120 }, { from: 3, to: null, length: 50 }];
  const axis = placeMoments(times, rooms, { extent: 900, least: 5, unit: 16 });
  assert.equal(axis.length, 900);
  assert.ok(axis.places[2] - axis.places[0] >= 120);
  assert.ok(axis.places.every((place, index) => index === 0 || place > axis.places[index - 1]));
  assert.ok(axis.places[3] + 50 <= 900.001);
  assert.equal(interpolate(axis.times, axis.places, 1), axis.places[1]);
  const marks = ticks(axis, 40);
  assert.equal(marks[0].ms, 0);
  marks.slice(1).forEach((tick, index) => assert.ok(tick.place - marks[index].place >= 40));
});

test("a label is broken between words only", () => {
  assert.deepEqual(wrap("check: $200 < $800, refused", 12 * EM * 0.55, (text) => measure(text)),
    ["check: $200", "< $800,", "refused"]);
  assert.deepEqual(wrap("", 100, measure), [""]);
});

test("a lane names its replica, where there is one", () => {
  const alone = layout({}, doubleSpend())[0].lanes.map(({ title }) => title);
  assert.ok(alone.every((title) => !title.includes(" on ")));
  const detail = doubleSpend();
  detail.transfers.forEach((transfer, index) => { transfer.replica = ["a", "the-machine-in-the-corner"][index]; });
  const titles = layout({}, detail)[0].lanes.map(({ title }) => title);
  assert.ok(titles.some((title) => title.endsWith(" on a")));
  assert.ok(titles.some((title) => title.endsWith(" on the-machine\u2026")));
});
