// Draws the axis line and the strip in true scale that scale.js has laid out.

import { element } from "./svg.js";

export const STRIP_PX = 5;

// Turns lengths along and across the direction of time into the attributes of SVG.
function rect(upright, from, to, across, thick, attributes) {
  const [length, breadth] = [Math.max(1, to - from), thick];
  return element("rect", upright ? { x: across, y: from, width: breadth, height: length, ...attributes }
    : { x: from, y: across, width: length, height: breadth, ...attributes });
}

function line(upright, [along1, across1], [along2, across2], attributes) {
  return element("line", upright ? { x1: across1, y1: along1, x2: across2, y2: along2, ...attributes }
    : { x1: along1, y1: across1, x2: along2, y2: across2, ...attributes });
}

// Two short strokes across the axis line, with a gap between them.
function breakMark(upright, at, across, em) {
  const [gap, lean, reach] = [0.16 * em, 0.14 * em, 0.42 * em];
  return [rect(upright, at - gap, at + gap, across - 2, 4, { class: "axis-gap" }),
    ...[-gap, gap].map((shift) => line(upright, [at + shift - lean, across + reach], [at + shift + lean, across - reach], { class: "axis-break" }))];
}

export function drawScale(scale, em) {
  const { upright, strip } = scale;
  const axis = scale.parts.flatMap(({ kind, from, to }) => [
    line(upright, [from, scale.line], [to, scale.line], { class: `axis-line ${kind}` }),
    ...(kind === "cut" ? breakMark(upright, (from + to) / 2, scale.line, em) : []),
  ]);
  return element("g", { class: "scale" }, ...axis,
    ...scale.fans.map(({ from, to }) => line(upright, [from, scale.line + 1.6 * em], [to, strip], { class: "fan" })),
    rect(upright, scale.from, scale.to, strip, STRIP_PX, { class: "strip" }),
    ...scale.bands.map(({ from, to }) => rect(upright, from, to, strip, STRIP_PX, { class: "strip-band" })),
    ...scale.marks.map(({ at, tone }) => rect(upright, at - 1, at + 1, strip, STRIP_PX, { class: `strip-mark tone-${tone}` })));
}
