// The part of a panel under the picture of a race: its SQL, why no serial order exists (or which one does), and the
// versions of the contested row. It joins the steps of the picture with the lines of the SQL.

import { make, unbroken } from "./dom.js";
import { drawGraph } from "./explore_graph.js";
import { whyText } from "./explore_words.js";
import { makeSketches } from "./sketch_panel.js";
import { list, money } from "./words.js";

const GRAPH_LETTERS_MAX = 4; // more transfers do not fit into the small drawing

let strategies = [];
const shown = new Map(); // by slot: {key, sketches, race}

export function rememberStrategies(known) {
  strategies = known;
}

// The order in which transfers without a cycle could have run one after another.
function serialOrder(race) {
  const waiting = new Map(race.lanes.map(({ letter }) => [letter,
    race.conflicts.edges.filter(({ to }) => to === letter).map(({ from }) => from)]));
  const order = [];
  while (order.length < race.lanes.length) {
    const next = race.lanes.map(({ letter }) => letter).find((letter) => !order.includes(letter) &&
      waiting.get(letter).every((other) => order.includes(other)));
    if (next === undefined) {
      return order;
    }
    order.push(next);
  }
  return order;
}

function whyWords(race) {
  return race.conflicts.cycle.length > 0 ? whyText({ kind: "anomaly", graph: race.conflicts }, [])
    : `The result is that of a serial order: ${serialOrder(race).join(", then ")}.`;
}

function whySection(slot, race) {
  const box = make("div", { class: "graph" });
  const edges = make("ol", { class: "graph-edges" });
  const isBad = race.conflicts.cycle.length > 0;
  const made = make("section", { class: "why" }, make("h4", {}, isBad ? "Why no serial order exists" : "The serial order"),
    make("p", {}, whyWords(race)), box, edges);
  const draw = () => drawGraph(box, edges, race.conflicts, `graph-${slot}`);
  return { made, draw };
}

function versionsTable(race) {
  const at = (us) => (us === -Infinity ? "before the race" : us === Infinity ? "not yet" : `${((us - race.startUs) / 1000).toFixed(1)} ms`);
  const rows = race.versions.map(({ value, letter, writtenUs, visibleUs, seenBy }) => make("tr", { class: value < 0 ? "tone-bad" : null },
    make("td", {}, ...unbroken(money(value))), make("td", {}, letter ?? (writtenUs === -Infinity ? "before the race" : "another client")),
    make("td", {}, at(writtenUs)), make("td", {}, at(visibleUs)),
    make("td", {}, seenBy.length === 0 ? "nobody" : list(seenBy.map((each) => `${each.letter} (${at(each.us)})`)))));
  return make("details", { class: "versions" },
    make("summary", {}, `Versions of the row of ${race.account}`),
    make("p", {}, "PostgreSQL writes a new version of the row for each UPDATE. Others see a version from its commit on."),
    make("div", { class: "scrolls", tabindex: "0", role: "region", "aria-label": `Versions of ${race.account}` }, make("table", {},
      make("thead", {}, make("tr", {}, ...["balance", "written by", "written at", "visible to others from", "read by"].map((name) =>
        make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...rows))));
}

function boxOf(slot) {
  const panel = document.querySelector(`#panel-${slot}`);
  return panel.querySelector(".explained") ?? panel.appendChild(make("div", { class: "explained" }));
}

function isWorthGraph(race) {
  return race.finished && race.lanes.length > 1 && race.conflicts.edges.length > 0 && race.lanes.length <= GRAPH_LETTERS_MAX;
}

function fill(slot, race) {
  const box = boxOf(slot);
  const sketches = makeSketches(race, strategies);
  const why = isWorthGraph(race) ? whySection(slot, race) : null;
  const versions = race.finished && race.versions.length > 0 ? versionsTable(race) : null;
  if (versions && box.querySelector(".versions")?.open) {
    versions.open = true;
  }
  box.replaceChildren(...sketches.elements, ...(why || versions ? [make("div", { class: "aside" }, why?.made ?? null, versions)] : []));
  why?.draw();
  return { sketches, redraw: why?.draw ?? (() => {}) };
}

// Shows a model of raceModel(), or nothing for null. While the same race runs on, the SQL stays as it is.
export function showWhy(slot, race) {
  const key = race && JSON.stringify([race.lanes.map(({ id }) => id), race.finished, race.judged, strategies.length]);
  const before = shown.get(slot);
  if (race === null) {
    boxOf(slot).replaceChildren();
    shown.delete(slot);
  } else if (before?.key === key) {
    before.race = race;
    before.sketches.show(race);
  } else {
    shown.set(slot, { key, race, ...fill(slot, race) });
  }
}

// After a change of the width.
export function redrawWhy() {
  shown.forEach(({ redraw }) => redraw());
}

// Marks the lines of the given steps: [{letter, step}]. null: those where the transfers stand.
export function markSteps(slot, steps) {
  shown.get(slot)?.sketches.mark(steps);
}

// Joining the picture and the SQL

function stepAt(event) {
  return event.target.closest?.(".step") ?? null;
}

function linkSteps(slot, item) {
  const found = item && shown.get(slot)?.sketches.stepsOf(item);
  const letters = found && shown.get(slot).race.lanes.filter(({ strategy }) => strategy === found.strategy).map(({ letter }) => letter);
  for (const part of document.querySelectorAll(`#panel-${slot} .picture .step`)) {
    part.classList.toggle("linked", Boolean(found) && found.steps.includes(part.dataset.step) && letters.includes(part.dataset.letter));
  }
}

// Moves the focus among elements of which one is a tab stop.
function rove(elements, event, moves) {
  const at = elements.indexOf(event.target.closest("[tabindex]"));
  const to = event.key === "Home" ? 0 : event.key === "End" ? elements.length - 1 : at + (moves[event.key] ?? 0);
  if (at === -1 || to === at || !elements[to] || event.ctrlKey || event.altKey || event.metaKey) {
    return;
  }
  event.preventDefault();
  elements[at].setAttribute("tabindex", "-1");
  elements[to].setAttribute("tabindex", "0");
  elements[to].focus();
}

function marksInOrder(picture) {
  return [...picture.querySelectorAll(".mark[tabindex]")].sort((one, other) => one.dataset.reveal - other.dataset.reveal);
}

export function startWhy(slot) {
  const picture = document.querySelector(`#panel-${slot} .picture`);
  const box = boxOf(slot);
  const markOf = (event) => {
    const part = stepAt(event);
    if (part) {
      markSteps(slot, [{ letter: part.dataset.letter, step: part.dataset.step }]);
    }
  };
  for (const [enter, leave] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    picture.addEventListener(enter, markOf);
    picture.addEventListener(leave, () => markSteps(slot, null));
    box.addEventListener(enter, (event) => linkSteps(slot, event.target.closest(".sketch li")));
    box.addEventListener(leave, () => linkSteps(slot, null));
  }
  picture.addEventListener("keydown", (event) => rove(marksInOrder(picture), event, { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }));
  box.addEventListener("keydown", (event) => {
    const lines = event.target.closest(".sketch-lines");
    rove(lines ? [...lines.querySelectorAll(".sketch-line")] : [], event, { ArrowDown: 1, ArrowUp: -1 });
  });
}
