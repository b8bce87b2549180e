// The layout of the contested row: a step line between the first two lanes, on their time axis. The value changes at
// the commit of a write. From the write to its commit a dashed line shows the value that only the writer sees. Pure.

import { shortMoney } from "./words.js";

// In em. In a lying picture the line needs a height, in an upright one a width.
const LYING = { head: 1.35, levels: 2.7, foot: 0.65, indent: 0.4 };
const UPRIGHT = { width: 4.3, left: 0.5, right: 0.5, label: 0.85, room: 1.9 };

const SAME_MS = 0.003; // moments of the picture and of the record that are the same

function tone(value) {
  return value < 0 ? "bad" : "plain";
}

// The versions in ms: {value, letter, label, tone, written, from, to, committed}. lanes: the pieces of every lane, with
// their moments. A moment that is drawn there stands at the same place here.
export function rowOfRace(model, clock, lanes, endMs) {
  const versions = model.versions.map(({ value, letter, writtenUs, visibleUs }) => {
    const own = lanes[model.lanes.findIndex((lane) => lane.letter === letter)] ?? [];
    const drawn = (ms) => own.flatMap(({ from, to }) => [from, to]).filter((each) => Math.abs(each - ms) <= SAME_MS);
    const moment = (us, choose) => {
      const ms = us === -Infinity ? 0 : us === Infinity ? endMs : Math.min(endMs, Math.max(0, clock(us)));
      return choose(...(drawn(ms).length > 0 ? drawn(ms) : [ms]));
    };
    return {
      value, letter, label: shortMoney(value), tone: tone(value), committed: visibleUs !== Infinity,
      written: moment(writtenUs, Math.min),
      from: moment(visibleUs, Math.max), // the commit is the last mark of a moment
    };
  });
  return versions.map((version, index) => ({ ...version, to: versions[index + 1]?.from ?? endMs }));
}

// Without the versions that were replaced at once or are not committed yet. The last one may begin where the race
// ends.
function shownOf(row) {
  return row.filter(({ from, to, committed }, index) => committed && (to > from || index === row.length - 1));
}

export function rowMoments(row) {
  return row.flatMap(({ written, from }) => [written, from]);
}

// The room that each value needs until the next.
export function rowRooms(row, at, { em, measure, upright }) {
  return shownOf(row).map(({ from, to, label }, index, all) => ({
    from: at(from), to: index + 1 < all.length ? at(to) : null,
    length: upright ? UPRIGHT.room * em : measure(label, "bad") + 1.2 * em,
  }));
}

export function rowExtent(row, { em, upright }) {
  return row.length === 0 ? 0 : (upright ? UPRIGHT.width : LYING.head + LYING.levels + LYING.foot) * em;
}

function scaleOf(row, low, high) {
  const values = [0, ...row.map(({ value }) => value)];
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return (value) => most === least ? high : low + (high - low) * (value - least) / (most - least);
}

// A path through [along, across] points; upright pictures swap the two.
function path(points, upright) {
  return points.map(([along, across], index) =>
    `${index === 0 ? "M" : "L"}${upright ? `${across.toFixed(1)} ${along.toFixed(1)}` : `${along.toFixed(1)} ${across.toFixed(1)}`}`).join("");
}

function rectangle(from, to, one, other, upright) {
  const [start, size] = [Math.min(one, other), Math.abs(one - other)];
  return upright ? { x: start, y: from, width: size, height: to - from } : { x: from, y: start, width: to - from, height: size };
}

// row: a result of rowOfRace(). at: the place across the lanes where the row begins. Returns the numbers for
// timeline_svg.js.
export function layoutRow(row, account, at, place, options) {
  const { em, measure, upright, end } = options;
  if (row.length === 0) {
    return null;
  }
  const level = upright ? scaleOf(row, at + UPRIGHT.left * em, at + (UPRIGHT.width - UPRIGHT.right) * em)
    : scaleOf(row, at + (LYING.head + LYING.levels) * em, at + LYING.head * em);
  const zero = level(0);
  const drawn = shownOf(row);
  const parts = drawn.map((version, index) => {
    const before = drawn[index - 1];
    const isLast = index === drawn.length - 1;
    const [from, across] = [place(version.from), level(version.value)];
    const least = isLast ? from + (upright ? UPRIGHT.room * em : measure(version.label, version.tone) + 0.8 * em) : 0;
    const to = Math.max(place(version.to), least);
    const fits = isLast || upright || measure(version.label, version.tone) + 0.6 * em <= to - from;
    return {
      ...version, reveal: from, area: rectangle(from, to, across, zero, upright),
      line: path([...(before ? [[from, level(before.value)]] : []), [from, across], [to, across]], upright),
      text: upright ? { x: at + UPRIGHT.width / 2 * em, y: from + UPRIGHT.label * em, anchor: "middle", lines: [version.label] }
        : { x: from + LYING.indent * em, y: across - 0.7 * em, anchor: "start", lines: [fits ? version.label : ""] },
    };
  });
  const pending = row.filter(({ written, from, letter }) => letter !== null && from > written).map((version) => ({
    reveal: place(version.written),
    line: path([[place(version.written), level(version.value)], [place(version.from), level(version.value)]], upright),
  }));
  const start = place(0);
  return {
    parts, pending,
    zero: path([[start, zero], [end, zero]], upright),
    texts: upright ? [{ x: at + UPRIGHT.width / 2 * em, y: 0.95 * em, anchor: "middle", lines: [account] }]
      : [{ x: 2.8 * em, y: at + (LYING.head + 0.35) * em, anchor: "start", lines: [account] },
        { x: 2.8 * em, y: at + (LYING.head + 1.65) * em, anchor: "start", lines: ["the row"] }],
  };
}
