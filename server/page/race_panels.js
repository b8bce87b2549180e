// The race panels: the last race that went wrong, and the same race under a fix, both on one scale. This module draws
// the given races, and draws them again when the window or the time changes. cursor.js plays them.

import { cursorDrawn, startCursors } from "./cursor.js";
import { find, make, unbroken, verdictBadge } from "./dom.js";
import { clockTime, raceLink } from "./history.js";
import { sayAxes, startLegend } from "./legend.js";
import { measureAt } from "./measure.js";
import { isPresenting } from "./presentation.js";
import { redrawWhy, showWhy, startWhy } from "./race_why.js";
import { layoutTimelines } from "./timeline.js";
import { drawTimeline } from "./timeline_svg.js";
import { LINK_LIFE, count, missedSentence, money, toneOfRace, togetherSentence, verdictSentence, wordsOfRace } from "./words.js";
import { wordsTable } from "./words_table.js";

export const SLOTS = ["race", "fix"];
const UPRIGHT_BELOW_EM = 44;
const UPRIGHT_IF_CROWDED_BELOW_EM = 62;
const FRAME_MS = 80;
const SMALL = 0.875;

const races = { race: null, fix: null };
let clockOffsetUs = 0; // difference of the server's clock to the clock of this browser
let due = false;
let timer = null; // the next drawing of a race that still runs: there is at most one
let onShown = () => {};

function badge(race) {
  const good = race.verdict === "clean";
  if (!race.finished) {
    return make("span", { class: "verdict running" }, "Under way");
  }
  return good && race.lanes.length === 1 ? verdictBadge("good", "Alone") : verdictBadge(toneOfRace(race), wordsOfRace(race));
}

function missedList(race) {
  const at = (us) => `${((us - race.startUs) / 1000).toFixed(1)} ms`;
  return race.missed.map((miss) => make("li", { class: "bad" }, ...unbroken(missedSentence(miss, at))));
}

function together(race) {
  return race.together ? [make("li", { class: race.together.made === 0 ? "together" : "together bad" },
    ...unbroken(togetherSentence(race.together, race.account, race.lowestBalance)))] : [];
}

// Nothing went wrong, and yet it is no fix.
function limits(race) {
  return race.finished && race.lanes.length > 1 && toneOfRace(race) === "limited" ? [make("li", {},
    "The mutex is in the memory of this server, so it holds only here. A transfer on a second server does not wait for it: " +
    "\u201cFive fixes that are none\u201d shows such a race.")] : [];
}

function failures(race) {
  return race.lanes.filter((lane) => lane.error).map((lane) => make("li", { class: "bad" },
    `${lane.letter}: ${lane.error.title}. ${lane.error.detail ?? ""}`));
}

function gone(race) {
  return race.gone ? [make("li", {}, "The events have reported these steps. The race left the newest 1,000 records before the page " +
    "could ask which transfer missed which write: it is too old to be drawn from the records.")] : [];
}

// The time at which the first transfer was admitted.
export function beganUs(race) {
  return Math.min(...race.lanes.map((lane) => lane.startUs));
}

// The time and the name of the race, as in the list of the last races.
function which(race) {
  const began = beganUs(race) / 1000;
  return make("span", { class: "which" }, make("time", { datetime: new Date(began).toISOString() }, clockTime(began)),
    race.judged ? `, race ${race.id}` : "");
}

function traces(race) {
  return race.lanes.filter((lane) => lane.traceUrl).map((lane) =>
    make("a", { href: lane.traceUrl, rel: "noopener" }, `Trace ${lane.letter}`));
}

function title(race) {
  const lanes = race.lanes.map((lane) =>
    `${lane.letter} sends ${money(lane.amount)} from ${lane.from} to ${lane.to}: ${lane.outcome}`);
  return `Timeline of ${count(race.lanes.length, "transfer")}. ${lanes.join(". ")}. The table "step by step" says the same in words.`;
}

function showFacts(slot, race) {
  const panel = find(`#panel-${slot}`);
  panel.classList.toggle("empty", race === null);
  panel.classList.toggle("judged", race?.judged === true);
  const facts = panel.querySelector(".facts");
  if (race === null) {
    facts.replaceChildren();
    panel.querySelector(".below").replaceChildren();
    panel.querySelector(".links").replaceChildren();
    return;
  }
  const undrawn = race.undrawn > 0 ? ` ${count(race.undrawn, "more transfer")} of this race ${race.undrawn === 1 ? "is" : "are"} not drawn.` : "";
  facts.replaceChildren(badge(race), ...race.strategies.map((name) => make("code", {}, name)),
    make("span", { class: "sentence" }, ...unbroken(race.finished ? verdictSentence(race) + undrawn : "")), which(race));
  panel.querySelector(".below").replaceChildren(...missedList(race), ...together(race), ...limits(race), ...failures(race), ...gone(race));
  const link = race.finished && !race.gone
    ? [make("a", { href: raceLink(race.lanes.map(({ id }) => id)), title: LINK_LIFE }, "Link")] : [];
  panel.querySelector(".links").replaceChildren(...link, ...traces(race));
}

// The older of two pictures says that it is older, and where the newer one is: it is not the result of the last press.
function markEarlier() {
  for (const [slot, other, place] of [["race", "fix", "\u201cUnder the fix\u201d, below"], ["fix", "race", "\u201cThe race\u201d, above"]]) {
    const [race, newer] = [races[slot], races[other]];
    const earlier = race !== null && newer !== null && beganUs(race) < beganUs(newer);
    const mark = find(`#panel-${slot} .earlier`);
    mark.hidden = !earlier;
    mark.textContent = earlier ? `An earlier race. The newest one ran with ${newer.strategies.join(", ")}: see ${place}.` : "";
  }
}

function wordsTitle(slot, race) {
  return `${slot === "race" ? "The race" : "Under the fix"}: ${race.strategies.join(", ")}, ${clockTime(beganUs(race) / 1000)}`;
}

function showWords(slot, race) {
  const box = find(`#words-${slot}`);
  box.hidden = race === null;
  box.replaceChildren(...(race === null ? [] : [wordsTable(race, wordsTitle(slot, race))]));
}

// A hall reads no small letters, and two lying pictures of large ones are higher than a screen. So upright pictures
// stand side by side, each with an axis of its own.
function layOutForAHall(shown, em, width) {
  return shown.flatMap((slot) => layoutTimelines([races[slot]], {
    em, measure: measureAt(em), upright: true, tick: 1, width: width - 2, nowUs: Date.now() * 1000 + clockOffsetUs,
  }));
}

// Draws lying lanes where there is room, with smaller letters if needed, and upright lanes on narrow screens. On a wide
// screen that is too narrow for both races on one axis, each race has an axis of its own. A picture that is still too
// wide scrolls within its box.
function layOut(shown, width) {
  const em = parseFloat(getComputedStyle(document.documentElement).fontSize);
  if (isPresenting()) {
    return layOutForAHall(shown, em, width);
  }
  const ways = width < UPRIGHT_BELOW_EM * em ? [[SMALL * em, true]]
    : width < UPRIGHT_IF_CROWDED_BELOW_EM * em ? [[em, false], [SMALL * em, false], [em, true]]
      : [[em, false], [SMALL * em, false]];
  const models = shown.map((slot) => races[slot]);
  const groupings = models.length > 1 ? [[models], models.map((model) => [model])] : [[models]];
  let laidOut = [];
  for (const groups of groupings) {
    for (const [size, upright] of ways) {
      laidOut = groups.flatMap((group) => layoutTimelines(group, {
        em: size, measure: measureAt(size), upright, width: width - 2, nowUs: Date.now() * 1000 + clockOffsetUs,
      }));
      if (laidOut.every((drawing) => drawing.width <= width)) {
        sayAxes(models.length, groups.length);
        return laidOut;
      }
    }
  }
  sayAxes(models.length, models.length);
  return laidOut;
}

function draw() {
  due = false;
  const shown = SLOTS.filter((slot) => races[slot] !== null);
  const width = find("#panel-race .picture").clientWidth || find("#panel-fix .picture").clientWidth;
  const laidOut = layOut(shown, width);
  for (const slot of SLOTS) {
    const drawing = laidOut[shown.indexOf(slot)] ?? null;
    const box = find(`#panel-${slot} .picture`);
    const focused = [...box.querySelectorAll(".mark")].indexOf(document.activeElement);
    box.replaceChildren(...(drawing ? [drawTimeline(drawing, { name: `timeline-${slot}`, title: title(races[slot]) })] : []));
    scrollable(box);
    if (focused !== -1) {
      box.querySelectorAll(".mark")[focused]?.focus({ preventScroll: true });
    }
    cursorDrawn(slot, races[slot], drawing);
  }
  clearTimeout(timer);
  timer = shown.some((slot) => !races[slot].finished) ? setTimeout(redraw, FRAME_MS) : null;
}

// A box that scrolls gets the focus, so that the keyboard can scroll it.
function scrollable(box) {
  if (box.scrollWidth > box.clientWidth) {
    box.tabIndex = 0;
  } else {
    box.removeAttribute("tabindex");
  }
}

export function redraw() {
  if (!due) {
    due = true;
    requestAnimationFrame(draw);
  }
}

// slot: "race" or "fix". race: a model of raceModel(), or null for no race.
export function showRace(slot, race) {
  races[slot] = race;
  showFacts(slot, race);
  showWords(slot, race);
  showWhy(slot, race);
  markEarlier();
  redraw();
  onShown();
}

export function shownRace(slot) {
  return races[slot];
}

export function serverTime(us) {
  clockOffsetUs = us - Date.now() * 1000;
}

// onChange() is called when another race, or none, is shown; onMoment() with the moment of the time cursor.
export function startRacePanels(onChange, onMoment) {
  onShown = onChange;
  startCursors(SLOTS, onMoment);
  startLegend();
  SLOTS.forEach(startWhy);
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width !== width) {
      width = contentRect.width;
      redraw();
      redrawWhy();
    }
  }).observe(find("#timelines"));
  document.fonts?.ready.then(redraw);
}
