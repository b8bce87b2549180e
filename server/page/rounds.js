// All rounds of a run at once. The answers give each round its verdict, and the events its steps. The page asks the
// server for the steps of a round that no event has reported, one round at a time.

import { api } from "./api.js";
import { find, make } from "./dom.js";
import { drawRounds, laneAt, laneEdges } from "./rounds_canvas.js";
import { ROUNDS_DRAWN, inOrder, isRaced, roundOf, tallyOf, withSteps } from "./rounds_model.js";
import { raceLink } from "./history.js";
import { VERDICTS, count, milliseconds } from "./words.js";

const RUNS_KEPT = 5;
const EVENT_EXPECTED_MS = 400; // an event that reports a round comes within this time of its answers
const UNCLAIMED_MAX = 64; // transfers of events whose answers have not come yet

const runs = []; // the newest last
const unclaimed = new Map(); // by transfer id: its group's transfers
let nextRun = 1;
let shown = null; // the run in the picture
let lanes = []; // its rounds in the order of the lanes
let grid = null;
let selected = -1;
let due = false;
let open = () => {};
let onChange = () => {};

// --- The words ---

function tallyWords({ doubleSpends, lostUpdates }) {
  return [count(doubleSpends, "double spend"), ...(lostUpdates > 0 ? [count(lostUpdates, "lost update")] : [])].join(", ");
}

function laneWords(round) {
  const gap = round.gapUs === null ? "" : `, ${milliseconds(round.gapUs)} between the two reads`;
  const steps = round.transfers === null ? ". Its steps are not known" : "";
  return `Round ${round.number}: ${VERDICTS[round.verdict]}${gap}${steps}.`;
}

function showShare() {
  const tally = tallyOf(shown.rounds);
  const rest = shown.rounds.length > lanes.length ? ` The first ${lanes.length.toLocaleString("en-US")} rounds are drawn.` : "";
  find("#rounds-share").className = tally.raced > 0 ? "bad" : "";
  find("#rounds-share").replaceChildren(make("strong", {}, `${tally.raced} of ${tally.rounds}`), " raced ",
    make("span", { class: "rest" }, `(${[shown.strategy, tallyWords(tally)].filter(Boolean).join(": ")}).${rest}`));
}

function showHere() {
  const slider = find("#rounds-lanes");
  const round = lanes[selected];
  slider.setAttribute("aria-valuemax", String(Math.max(1, lanes.length)));
  slider.setAttribute("aria-valuenow", String(Math.max(1, selected + 1)));
  slider.setAttribute("aria-valuetext", round ? `Lane ${selected + 1} of ${lanes.length}. ${laneWords(round)}` : "no lane");
  find("#rounds-here").replaceChildren(...(round
    ? [`${laneWords(round)} `, make("a", { href: raceLink(round.ids), "data-round": String(round.number) }, "Draw this race")] : []));
}

// --- The picture ---

function draw() {
  due = false;
  if (shown === null) {
    return;
  }
  const before = lanes[selected]?.number;
  lanes = inOrder(shown.rounds.slice(0, ROUNDS_DRAWN), find("#rounds-order").value);
  selected = before === undefined ? -1 : lanes.findIndex(({ number }) => number === before);
  showShare();
  grid = drawRounds(find("#rounds-lanes canvas"), find(".rounds-legend"), lanes, selected);
  showHere();
}

function redraw() {
  if (!due) {
    due = true;
    requestAnimationFrame(draw);
  }
}

function select(index) {
  selected = Math.max(0, Math.min(lanes.length - 1, index));
  const { top, bottom } = laneEdges(grid, selected);
  const box = find("#rounds-lanes");
  box.scrollTop = Math.min(top - 2, Math.max(box.scrollTop, bottom + 4 - box.clientHeight));
  redraw();
}

function openSelected() {
  if (lanes[selected]) {
    open(lanes[selected].ids);
  }
}

function onKey(event) {
  const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
  const steps = {
    ArrowDown: 1, ArrowUp: -1, ArrowRight: grid?.columns > 1 ? grid.rows : 1, ArrowLeft: grid?.columns > 1 ? -grid.rows : -1,
    PageDown: 10, PageUp: -10, Home: -Infinity, End: Infinity,
  };
  if (!isPlain || lanes.length === 0 || grid === null) {
    return;
  }
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    openSelected();
  } else if (event.key in steps) {
    event.preventDefault();
    select(selected === -1 ? (event.key === "End" ? Infinity : 0) : selected + steps[event.key]);
  }
}

function laneOf(event) {
  const box = find("#rounds-lanes canvas").getBoundingClientRect();
  return grid === null ? -1 : laneAt(grid, lanes.length, event.clientX - box.left, event.clientY - box.top);
}

// --- The runs ---

function show(run) {
  const isOther = shown !== run;
  shown = run;
  selected = isOther ? -1 : selected;
  find("#all-rounds").hidden = find("#to-rounds").hidden = false;
  redraw();
}

function showRun(run) {
  show(run);
  find("#all-rounds").scrollIntoView({ block: "start" });
  find("#rounds-lanes").focus({ preventScroll: true });
}

export function beginRun(strategy) {
  const run = { id: nextRun++, strategy, rounds: [], ids: new Set(), at: Date.now(), waiting: [], asks: false };
  runs.push(run);
  runs.splice(0, runs.length - RUNS_KEPT);
  unclaimed.clear();
  show(run);
  return run;
}

function take(run, number, transfers) {
  const index = number - 1;
  const before = run.rounds[index];
  if (before !== undefined && before.transfers === null) {
    run.rounds[index] = withSteps(before, transfers);
    if (run === shown) {
      redraw();
    }
  }
}

const isKnown = (run, number) => run.rounds[number - 1].transfers !== null;

// The server keeps the newest records only, so the rounds are asked for while others run. An event usually comes first.
async function askForSteps(run) {
  run.asks = true;
  try {
    while (run.waiting.length > 0) {
      const { number, at } = run.waiting.shift();
      if (!isKnown(run, number)) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, at + EVENT_EXPECTED_MS - Date.now())));
      }
      const found = isKnown(run, number) ? null : await api.race(run.rounds[number - 1].ids[0]);
      if (found) {
        take(run, number, found.transfers);
      }
    }
  } catch {
    run.waiting = []; // the lanes stay without steps; the run itself reports an error of the server
  }
  run.asks = false;
}

export function addRound(run, records) {
  const number = run.rounds.length + 1;
  run.rounds.push(roundOf(number, records));
  records.forEach(({ id }) => run.ids.add(id));
  const known = records.map(({ id }) => unclaimed.get(id)).find((transfers) => transfers !== undefined);
  records.forEach(({ id }) => unclaimed.delete(id));
  if (known) {
    take(run, number, known);
  }
  if (number <= ROUNDS_DRAWN && !isKnown(run, number)) {
    run.waiting.push({ number, at: Date.now() });
    if (!run.asks) {
      void askForSteps(run);
    }
  }
  if (run === shown) {
    redraw();
  }
  onChange();
}

// A race of the events that has ended: it may be a round whose answers have come, or will come.
export function takeEndedRace({ transfers }) {
  const run = runs.at(-1);
  if (run === undefined) {
    return;
  }
  const index = run.rounds.findLastIndex(({ ids }) => ids.includes(transfers[0].id));
  if (index !== -1) {
    take(run, index + 1, transfers);
    return;
  }
  transfers.forEach(({ id }) => unclaimed.set(id, transfers));
  for (const id of [...unclaimed.keys()].slice(0, Math.max(0, unclaimed.size - UNCLAIMED_MAX))) {
    unclaimed.delete(id);
  }
}

// The runs of this page, for the list of the last races.
export const runsOfPage = {
  of: (race) => runs.find((run) => race.transfer_ids.some((id) => run.ids.has(id))), // undefined: it is of no run
  words: (run) => `${count(run.rounds.length, "round")}: ${tallyWords(tallyOf(run.rounds))}`,
  isClean: (run) => !run.rounds.some(isRaced),
  show: showRun,
};

// openRaces(ids) draws a race above; change() is called when a run has another round.
export function startRounds(openRaces, change) {
  open = openRaces;
  onChange = change;
  const box = find("#rounds-lanes");
  box.addEventListener("keydown", onKey);
  box.addEventListener("click", (event) => {
    const lane = laneOf(event);
    if (lane !== -1) {
      select(lane);
      openSelected();
    }
  });
  box.addEventListener("pointermove", (event) => {
    box.title = lanes[laneOf(event)] ? laneWords(lanes[laneOf(event)]) : "";
  });
  box.addEventListener("focus", () => {
    if (selected === -1 && lanes.length > 0) {
      select(Math.max(0, lanes.findIndex(isRaced)));
    }
  });
  find("#rounds-here").addEventListener("click", (event) => {
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (isPlain && event.target.closest("a")) {
      event.preventDefault();
      openSelected();
    }
  });
  find("#to-rounds").addEventListener("click", (event) => {
    event.preventDefault(); // the address names races
    showRun(runs.at(-1));
  });
  find("#rounds-order").addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(box.parentElement);
  new MutationObserver(redraw).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}
