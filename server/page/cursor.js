// The time cursor of a race: a line over its picture. A person drags it, steps it from event to event, or plays. The
// parts of the picture after the cursor are pale, the verdict waits for the end, and the page shows the balances of
// that moment. At rest there is no cursor, and everything is shown as it is now. At most one picture has a cursor.
//
// race_panels.js draws the picture and calls cursorDrawn(). cursor_bar.js makes the controls below it.

import { makeBar, showBar } from "./cursor_bar.js";
import { balancesAt, balancesOf, stopAt, stopWords, stopsOf } from "./cursor_stops.js";
import { drawCursor, revealUntil } from "./cursor_svg.js";
import { find } from "./dom.js";
import { playFrom } from "./replay.js";

const DRAG_PX = 4; // a touch that moves less is a tap

const bars = new Map(); // by slot
const scenes = new Map(); // by slot: a race that can be played, with its drawing
let at = null; // {slot, ms}, or null at rest
let stopPlaying = null;
let onMoment = () => {};

function sceneOf(race, drawing) {
  const balances = balancesOf(race);
  const stops = stopsOf(race, drawing.pieces, balances);
  return { race, drawing, balances, stops, end: drawing.place(stops.at(-1).ms) };
}

function partsOf(slot) {
  const panel = find(`#panel-${slot}`);
  return {
    svg: panel.querySelector(".picture svg"), rows: [...document.querySelectorAll(`#words-${slot} tbody tr`)],
    verdict: panel.querySelector(".facts"), missed: panel.querySelector(".below"),
  };
}

function render() {
  for (const [slot, bar] of bars) {
    const scene = scenes.get(slot);
    const ms = scene && at?.slot === slot ? at.ms : null;
    if (scene) {
      drawCursor(partsOf(slot).svg, scene.drawing, ms);
      revealUntil(partsOf(slot), scene, ms);
    }
    showBar(bar, scene, ms, stopPlaying !== null && ms !== null);
  }
}

function show(next) {
  at = next;
  render();
  const scene = at && scenes.get(at.slot);
  onMoment(scene ? { ms: at.ms, balances: balancesAt(scene.race, scene.balances, at.ms) } : null);
}

function pause() {
  stopPlaying?.();
  stopPlaying = null;
}

function moveTo(slot, ms) {
  pause();
  show({ slot, ms });
}

// Back to the present.
export function closeCursor() {
  if (at !== null) {
    pause();
    show(null);
  }
}

// Plays from the cursor, or from the start; or pauses.
export function togglePlay(slot) {
  const scene = scenes.get(slot);
  if (!scene) {
    return;
  }
  if (stopPlaying !== null && at.slot === slot) {
    pause();
    render();
    return;
  }
  pause();
  const { drawing, stops, end } = scene;
  const place = at?.slot === slot ? drawing.place(at.ms) : end;
  const from = place >= end ? drawing.from : place;
  stopPlaying = playFrom(from, {
    to: end, whole: end - drawing.from, stops: stops.map(({ ms }) => drawing.place(ms)),
    onPlace: (head) => show({ slot, ms: head >= end ? stops.at(-1).ms : drawing.timeAt(head) }),
    onEnd: () => {
      stopPlaying = null;
      render();
    },
  });
  show({ slot, ms: drawing.timeAt(from) });
}

function stepBy(slot, steps) {
  const { stops } = scenes.get(slot);
  const last = stops.length - 1;
  const now = at?.slot === slot ? stopAt(stops, at.ms) : last;
  const between = at?.slot === slot && at.ms > stops[now].ms + 1e-6;
  const next = now + steps + (between && steps < 0 ? 1 : 0);
  moveTo(slot, stops[Math.min(last, Math.max(0, next))].ms);
}

// Dragging. A mouse drags from anywhere in the picture. A finger drags the knob; elsewhere a tap moves the cursor, and
// in a lying picture a movement along the axis drags it, because the page scrolls the other way.

function startDragging(slot, picture, bar) {
  let pressed = null; // {x, y, dragging} while a pointer is down

  const msAt = (event) => {
    const { drawing, end } = scenes.get(slot);
    const box = picture.querySelector("svg").getBoundingClientRect();
    const place = drawing.upright ? event.clientY - box.top : event.clientX - box.left;
    return drawing.timeAt(Math.min(end, Math.max(drawing.from, place)));
  };
  const follow = (event) => {
    moveTo(slot, msAt(event));
    event.preventDefault();
  };

  picture.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !scenes.has(slot) || !event.target.closest("svg")) {
      return;
    }
    const knob = event.target.closest(".cursor") !== null;
    pressed = { x: event.clientX, y: event.clientY, dragging: knob || event.pointerType === "mouse" };
    if (pressed.dragging) {
      picture.setPointerCapture(event.pointerId);
      follow(event);
      bar.range.focus({ preventScroll: true });
    }
  });
  picture.addEventListener("pointermove", (event) => {
    if (pressed === null || !scenes.has(slot)) {
      return;
    }
    const moved = Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y);
    if (!pressed.dragging && moved > DRAG_PX && !scenes.get(slot).drawing.upright) {
      pressed.dragging = true;
      picture.setPointerCapture(event.pointerId);
    }
    if (pressed.dragging) {
      follow(event);
    }
  });
  picture.addEventListener("pointerup", (event) => {
    if (pressed !== null && !pressed.dragging && scenes.has(slot)) {
      follow(event);
    }
    pressed = null;
  });
  picture.addEventListener("pointercancel", () => {
    pressed = null;
  });
  picture.addEventListener("touchstart", (event) => {
    if (event.target.closest(".cursor")) {
      event.preventDefault(); // the finger drags the knob, not the page
    }
  }, { passive: false });
}

function startBar(slot) {
  const panel = find(`#panel-${slot}`);
  const bar = makeBar(slot);
  bars.set(slot, bar);
  panel.querySelector(".picture").after(bar.box);
  bar.play.addEventListener("click", () => togglePlay(slot));
  bar.before.addEventListener("click", () => stepBy(slot, -1));
  bar.next.addEventListener("click", () => stepBy(slot, 1));
  bar.now.addEventListener("click", () => {
    closeCursor();
    bar.range.focus({ preventScroll: true });
  });
  bar.range.addEventListener("input", () => moveTo(slot, scenes.get(slot).stops[bar.range.valueAsNumber].ms));
  bar.range.addEventListener("keydown", (event) => {
    if (event.key === " ") {
      event.preventDefault();
      togglePlay(slot);
    } else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      event.preventDefault(); // between two stops the range would skip one of them
      stepBy(slot, event.key === "ArrowLeft" ? -1 : 1);
    }
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && at?.slot === slot) {
      event.stopPropagation();
      closeCursor();
    }
  });
  startDragging(slot, panel.querySelector(".picture"), bar);
}

// Called after each drawing of a picture. race, drawing: null if none is drawn. The cursor of the same race stays.
export function cursorDrawn(slot, race, drawing) {
  const before = scenes.get(slot);
  if (race === null || drawing === null || !race.finished) {
    scenes.delete(slot);
  } else {
    scenes.set(slot, sceneOf(race, drawing));
  }
  if (at?.slot === slot && (!scenes.has(slot) || before?.race.lanes[0].id !== race.lanes[0].id)) {
    closeCursor();
  }
  render();
}

// onMoment({ms, balances}) is called when the cursor moves, and onMoment(null) when it is closed.
export function startCursors(slots, theOnMoment) {
  onMoment = theOnMoment;
  slots.forEach(startBar);
}
