// The axis line below a picture, and the strip in true scale beside it. The line is dashed where the axis is stretched
// and broken where it is cut short; thin lines join its ticks to the same moments on the strip. Pure: "along" is the
// direction of time, and scale_svg.js draws the numbers.

import { interpolate, scaleParts } from "./axis.js";

const PART_EM = 1.2; // a shorter part of the axis gets no sign of its own

// pieces: with moments in ms (from, to). end: the last moment in ms. origin: the place of the axis' start in the
// picture. line, strip: the places of both across. fans: whether there is room for the lines between them.
export function layScale(axis, pieces, { em, end, origin, line, strip, upright, ticks, fans }) {
  const whole = interpolate(axis.times, axis.places, end);
  const along = (ms) => origin + (end > 0 ? Math.min(1, ms / end) * whole : 0);
  return {
    upright, line, strip, along, from: origin, to: origin + whole,
    parts: scaleParts(axis, end, PART_EM * em).map(({ kind, from, to }) => ({ kind, from: origin + from, to: origin + to })),
    bands: pieces.filter(({ type }) => type === "band").map(({ from, to }) => ({ from: along(from), to: along(to) })),
    marks: pieces.filter(({ type }) => type === "mark").map(({ from, tone }) => ({ at: along(from), tone })),
    fans: fans ? ticks.filter(({ ms }) => ms <= end).map(({ ms, place }) => ({ from: origin + place, to: along(ms) })) : [],
  };
}
