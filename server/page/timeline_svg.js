// Draws a timeline that timeline.js has laid out, as SVG. The colours are in page.css; the shapes are here. Colour is
// never the only sign of a meaning: labels name it, and shapes differ.

import { drawScale } from "./scale_svg.js";
import { element } from "./svg.js";

function text({ x, y, anchor, lines }, className, em) {
  const made = element("text", { x, y, class: className, "text-anchor": anchor });
  const first = y - (lines.length - 1) / 2 * 1.25 * em;
  lines.forEach((line, index) => {
    const part = element("tspan", { x, y: first + index * 1.25 * em, dy: "0.35em" });
    part.textContent = line;
    made.append(part);
  });
  return made;
}

// A part of the picture that appears when the cursor of the replay has reached it.
function part(reveal, className, ...children) {
  const made = element("g", { class: `part ${className}` }, ...children);
  made.dataset.reveal = String(Math.round(reveal * 10) / 10);
  return made;
}

// A part that belongs to a step of a transfer: sketch_panel.js joins it with the line of SQL.
function stepPart(piece, className, ...children) {
  const made = part(piece.reveal, `step ${className}`, ...children);
  Object.assign(made.dataset, { letter: piece.letter, step: piece.step });
  return made;
}

export const SHAPES = {
  read: (x, y, r) => element("circle", { cx: x, cy: y, r, class: "shape hollow" }),
  check: (x, y, r) => element("path", { d: `M${x} ${y - r * 1.2}l${r * 1.2} ${r * 1.2}-${r * 1.2} ${r * 1.2}-${r * 1.2}-${r * 1.2}z`, class: "shape hollow" }),
  deduct: (x, y, r) => element("circle", { cx: x, cy: y, r: r * 1.15, class: "shape full" }),
  credit: (x, y, r) => element("circle", { cx: x, cy: y, r: r * 0.8, class: "shape full" }),
  retry: (x, y, r) => element("path", { d: `M${x - r} ${y - r}l${2 * r} ${2 * r}m0-${2 * r}l-${2 * r} ${2 * r}`, class: "shape cross" }),
  snapshot: (x, y, r) => element("g", {}, element("circle", { cx: x, cy: y, r: r * 1.5, class: "shape hollow" }),
    element("circle", { cx: x, cy: y, r: r * 0.75, class: "shape hollow" })),
  begin: () => element("g"), // the bracket begins here
  commit: (x, y, r) => element("rect", { x: x - r * 0.35, y: y - r * 1.8, width: r * 0.7, height: r * 3.6, class: "shape full" }),
};

function drawMark(piece, em) {
  const kind = piece.kind.split(" ").at(-1); // "read snapshot" is drawn as a snapshot
  const shape = (SHAPES[kind] ?? SHAPES.read)(piece.x, piece.y, 0.42 * em);
  const made = stepPart(piece, `mark ${piece.kind} tone-${piece.tone}`, shape, text(piece.text, "label", em));
  const name = { role: "img", "aria-label": `${piece.letter}: ${piece.label}`, tabindex: "-1" };
  Object.entries(name).forEach(([key, value]) => made.setAttribute(key, value));
  return made;
}

function drawLeader(piece) {
  return part(piece.reveal, "", element("line", { ...piece.leader, class: "leader" }));
}

function drawBand(piece, em, hatch) {
  const { x, y, width, height } = piece;
  const box = element("rect", { x, y, width, height, rx: 0.25 * em, class: "band-box" });
  const drawn = [box];
  if (piece.tone === "blocked") {
    drawn.push(element("rect", { x, y, width, height, rx: 0.25 * em, fill: `url(#${hatch})` }));
  }
  return stepPart(piece, `band ${piece.kind} tone-${piece.tone}`, ...drawn, text(piece.text, "label", em));
}

function drawLink(link, em, arrow) {
  const d = link.points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  const line = element("path", { d, class: "link-line", "marker-end": `url(#${arrow})` });
  return part(link.reveal, "link", line, ...(link.text ? [text(link.text, "label", em)] : []));
}

function drawBracket({ reveal, ...box }, em) {
  return part(reveal, "transaction", element("rect", { ...box, rx: 0.35 * em, class: "bracket" }));
}

// The contested row: the value as a line and an area, red below zero, and dashed what is not committed yet.
function drawRow(row, em) {
  return element("g", { class: "row" }, element("path", { d: row.zero, class: "row-zero" }),
    ...row.texts.map((each, index) => text(each, index === 0 ? "lane-title" : "row-note", em)),
    ...row.parts.map((each) => part(each.reveal, `row-part tone-${each.tone}`, element("rect", { ...each.area, class: "row-area" }))),
    ...row.pending.map((each) => part(each.reveal, "row-part", element("path", { d: each.line, class: "row-pending" }))),
    ...row.parts.map((each) => part(each.reveal, `row-part tone-${each.tone}`, element("path", { d: each.line, class: "row-line" }))));
}

// Above the lines, so that no line crosses a value.
function drawValues(row, em) {
  return element("g", { class: "row" }, ...row.parts.map((each) =>
    part(each.reveal, `row-part tone-${each.tone}`, text(each.text, "label row-value", em))));
}

function drawLane(lane, em) {
  const letter = { x: lane.badge.x, y: lane.badge.y, anchor: "middle", lines: [lane.letter] };
  return element("g", { class: `lane tone-${lane.tone}` },
    element("line", { ...lane.line, class: "lane-line" }),
    element("circle", { cx: lane.badge.x, cy: lane.badge.y, r: lane.badge.r, class: "badge" }),
    text(letter, "badge-letter", em),
    text({ ...lane.texts[0], anchor: "start", lines: [lane.title] }, "lane-title", em),
    text({ ...lane.texts[1], anchor: "start", lines: [lane.outcome] }, "lane-outcome", em));
}

function definitions(name, em) {
  const hatch = element("pattern", { id: `${name}-hatch`, width: 0.5 * em, height: 0.5 * em, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    element("line", { x1: 0, y1: 0, x2: 0, y2: 0.5 * em, class: "hatch-line" }));
  const arrow = element("marker", { id: `${name}-arrow`, viewBox: "0 0 10 10", refX: 9, refY: 5, markerWidth: 7, markerHeight: 7, orient: "auto" },
    element("path", { d: "M0 0L10 5L0 10z", class: "link-head" }));
  return element("defs", {}, hatch, arrow);
}

// drawing: a result of timeline.js. name: unique in the page. title: the name of the picture for screen readers.
export function drawTimeline(drawing, { name, title }) {
  const { em } = drawing;
  const heading = element("title", { id: `${name}-title` });
  heading.textContent = title;
  const bands = drawing.pieces.filter(({ type }) => type === "band");
  const marks = drawing.pieces.filter(({ type }) => type === "mark");
  const drawnMarks = marks.map((piece) => drawMark(piece, em));
  drawnMarks[0]?.setAttribute("tabindex", "0"); // one tab stop: the arrow keys lead to the others
  return element("svg", {
    width: Math.ceil(drawing.width), height: Math.ceil(drawing.height),
    viewBox: `0 0 ${Math.ceil(drawing.width)} ${Math.ceil(drawing.height)}`,
    role: "group", "aria-labelledby": `${name}-title`, class: drawing.upright ? "timeline upright" : "timeline lying", "font-size": em,
  }, heading, definitions(name, em),
  element("g", { class: "ruler" }, ...drawing.ticks.flatMap((tick) => [
    element("line", { x1: tick.x1, y1: tick.y1, x2: tick.x2, y2: tick.y2 }), text(tick.text, "tick", em)])),
  drawScale(drawing.scale, em),
  ...(drawing.row ? [drawRow(drawing.row, em)] : []),
  ...drawing.brackets.map((bracket) => drawBracket(bracket, em)),
  ...drawing.lanes.map((lane) => drawLane(lane, em)),
  ...bands.map((piece) => drawBand(piece, em, `${name}-hatch`)),
  ...drawing.links.map((link) => drawLink(link, em, `${name}-arrow`)),
  ...(drawing.row ? [drawValues(drawing.row, em)] : []),
  ...marks.filter(({ leader }) => leader).map(drawLeader), // below all labels, because a leader may cross a label
  ...drawnMarks);
}
