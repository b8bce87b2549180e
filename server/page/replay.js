// Plays a drawn race again, slowly enough for eyes: a cursor crosses the picture, and what it has not reached is pale.
// The cursor moves evenly over the picture, not over time, so the crowded milliseconds get their share.

import { element } from "./timeline_svg.js";

const DURATION_MS = 9000;
const STEPS = 24; // where motion is not wanted, it jumps

function reveal(svg, drawing, cursor, head, rows) {
  for (const part of svg.querySelectorAll(".part")) {
    part.classList.toggle("later", Number(part.dataset.reveal) > head);
  }
  for (const row of rows) {
    row.classList.toggle("later", drawing.place(Number(row.dataset.ms)) > head);
  }
  const [from, to] = drawing.upright ? [["y1", "y2"], drawing.width] : [["x1", "x2"], drawing.height];
  const along = drawing.upright ? ["x1", "x2"] : ["y1", "y2"];
  from.forEach((name) => cursor.setAttribute(name, head.toFixed(1)));
  cursor.setAttribute(along[0], "0");
  cursor.setAttribute(along[1], String(to));
}

// Gives a function that stops it. onEnd() is called once, also when stopped.
export function startReplay(svg, drawing, rows, onEnd) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const cursor = element("line", { class: "cursor" });
  const end = drawing.upright ? drawing.height : drawing.width;
  const started = performance.now();
  let ended = false;
  svg.append(cursor);

  function stop() {
    if (!ended) {
      ended = true;
      reveal(svg, drawing, cursor, Infinity, rows);
      cursor.remove();
      onEnd();
    }
  }

  function frame(now) {
    if (ended) {
      return;
    }
    let share = (now - started) / DURATION_MS;
    if (share >= 1) {
      stop();
      return;
    }
    share = still ? Math.floor(share * STEPS) / STEPS : share;
    reveal(svg, drawing, cursor, drawing.from + share * (end - drawing.from), rows);
    requestAnimationFrame(frame);
  }

  requestAnimationFrame(frame);
  return stop;
}
