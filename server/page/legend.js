// The signs of the pictures and their meanings.

import { find, make } from "./dom.js";
import { element } from "./svg.js";
import { SHAPES } from "./timeline_svg.js";

const WIDTH = 30;
const HEIGHT = 20;
const MIDDLE = HEIGHT / 2;

const shape = (kind) => [SHAPES[kind](WIDTH / 2, MIDDLE, 6)];
const box = (...classes) => {
  const rect = { x: 1, y: 3, width: WIDTH - 2, height: HEIGHT - 6, rx: 3 };
  return [element("g", { class: `band ${classes.join(" ")}` }, element("rect", { ...rect, class: "band-box" }),
    ...(classes.includes("tone-blocked") ? [3, 10, 17, 24].map((x) =>
      element("line", { x1: x, y1: HEIGHT - 4, x2: x + 5, y2: 4, class: "hatch-line" })) : []))];
};
const line = (attributes) => element("line", { x1: 0, y1: MIDDLE, x2: WIDTH, y2: MIDDLE, ...attributes });
const stroke = (x) => element("line", { x1: x - 2, y1: MIDDLE + 6, x2: x + 2, y2: MIDDLE - 6, class: "axis-break" });

const SIGNS = [
  ["reads", shape("read")],
  ["checks", shape("check")],
  ["writes", shape("deduct")],
  ["ends: commit", shape("commit")],
  ["barrier", box("barrier")],
  ["delay, other waits", box("delay")],
  ["waits for a lock", box("lock", "tone-blocked")],
  ["written, not committed yet", box("committing")],
  ["from a stale read to the write that it missed", [line({ class: "link-line" })]],
  ["time is stretched here", [line({ class: "axis-line stretched" })]],
  ["time is cut short here", [line({ class: "axis-line cut" }), element("rect", { x: 12, y: MIDDLE - 2, width: 6, height: 4, class: "axis-gap" }), stroke(12), stroke(18)]],
  ["the same moments in true scale", [element("rect", { x: 0, y: MIDDLE - 2.5, width: WIDTH, height: 5, class: "strip" }),
    ...[3, 5, 24].map((x) => element("rect", { x, y: MIDDLE - 2.5, width: 2, height: 5, class: "strip-mark" }))]],
];

const WIDE = "(min-width: 60em)"; // room for the signs in two or three rows: they are shown at once

export function startLegend() {
  const signs = make("ul", {}, ...SIGNS.map(([words, drawn]) => make("li", {},
    element("svg", { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "timeline", "aria-hidden": "true" }, ...drawn), words)));
  find("#timelines").append(make("details", { id: "legend", open: matchMedia(WIDE).matches },
    make("summary", {}, "How to read the pictures"), signs,
    make("p", {}, "Time runs along the lanes. The axis has more room where many steps happen, and less where all transfers wait."),
    make("p", { id: "axes" })));
}

// pictures: the number that is drawn; axes: the number of their axes.
export function sayAxes(pictures, axes) {
  find("#axes").textContent = pictures < 2 ? ""
    : axes === 1 ? "Both pictures share one axis: a moment stands at the same place in each."
      : "Each picture has an axis of its own here, because there is no room for a common one.";
}
