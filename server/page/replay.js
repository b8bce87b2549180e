// Plays a drawn race again, slowly enough for eyes: a cursor crosses the picture, and the parts after the cursor are
// pale. The cursor moves evenly over the picture, not over time, so that the crowded milliseconds are shown as slowly
// as the others.

import { element } from "./svg.js";

const DURATION_MS = 9000;
const STEPS = 24; // the cursor jumps if the person prefers reduced motion

function reveal(svg, drawing, head, rows) {
  for (const part of svg.querySelectorAll(".part")) {
    part.classList.toggle("later", Number(part.dataset.reveal) > head);
  }
  for (const row of rows) {
    row.classList.toggle("later", drawing.place(Number(row.dataset.ms)) > head);
  }
}

function moveTo(cursor, drawing, head) {
  const ends = drawing.upright
    ? { x1: 0, x2: drawing.width, y1: head, y2: head } : { x1: head, x2: head, y1: 0, y2: drawing.height };
  for (const [name, value] of Object.entries(ends)) {
    cursor.setAttribute(name, value.toFixed(1));
  }
}

// Returns a function that stops the replay. onEnd() is called once, also when the replay is stopped.
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
      reveal(svg, drawing, Infinity, rows);
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
    const head = drawing.from + share * (end - drawing.from);
    reveal(svg, drawing, head, rows);
    moveTo(cursor, drawing, head);
    requestAnimationFrame(frame);
  }

  requestAnimationFrame(frame);
  return stop;
}
