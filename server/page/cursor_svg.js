// Draws the time cursor over a picture, and makes the parts after it pale.

import { element, setAttributes } from "./svg.js";

const TOUCH_PX = 22; // half of the smallest target for a finger

function made() {
  return element("g", { class: "cursor" }, element("line", { class: "cursor-line" }), element("rect", { class: "cursor-real" }),
    element("circle", { r: TOUCH_PX, class: "cursor-touch" }), element("circle", { class: "cursor-knob" }));
}

// The attributes of the parts of the cursor, in their order.
function attributesAt(drawing, ms) {
  const { em, scale, upright } = drawing;
  const head = drawing.place(ms);
  const real = scale.along(ms);
  const [x1, y1, x2, y2] = upright ? [0, head, drawing.width, head] : [head, 0, head, scale.line];
  const knob = upright ? { cx: scale.line, cy: head } : { cx: head, cy: scale.line };
  const dot = upright ? { x: scale.strip, y: real - 1.5, width: 8, height: 3 } : { x: real - 1.5, y: scale.strip - 2, width: 3, height: 9 };
  return [{ x1, y1, x2, y2 }, dot, knob, { ...knob, r: 0.5 * em }];
}

// ms: null removes the cursor. The elements stay while it moves, because a finger may be on one of them.
export function drawCursor(svg, drawing, ms) {
  let group = svg.querySelector(":scope > .cursor");
  if (ms === null) {
    group?.remove();
    return;
  }
  if (!group) {
    group = made();
    svg.append(group);
  }
  attributesAt(drawing, ms).forEach((attributes, index) => setAttributes(group.children[index], attributes));
}

// Shows what has happened until then. ms: null shows everything.
export function revealUntil({ svg, rows, verdict, missed }, { drawing, stops, end }, ms) {
  const head = ms === null ? Infinity : drawing.place(ms) + 0.1; // the picture rounds to tenths of a pixel
  for (const part of svg.querySelectorAll(".part")) {
    part.classList.toggle("later", Number(part.dataset.reveal) > head);
  }
  svg.querySelectorAll(".lane .lane-outcome").forEach((outcome, index) => {
    const { line } = drawing.lanes[index];
    outcome.classList.toggle("later", (drawing.upright ? line.y2 : line.x2) > head);
  });
  const reached = rows.filter((row) => ms === null || Number(row.dataset.ms) <= ms + 1e-6);
  for (const row of rows) {
    row.classList.toggle("later", !reached.includes(row));
    row.classList.toggle("here", ms !== null && row === reached.at(-1));
  }
  verdict.classList.toggle("later", head < end);
  missed.classList.toggle("later", Math.min(end, ...drawing.links.map(({ reveal }) => reveal)) > head);
}
