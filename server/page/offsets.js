// The control that moves the start of one transfer against the other. Every value is a race, and a square for each race
// shows where right turns wrong.

import { busy } from "./controls.js";
import { find, isOff, make, setOff } from "./dom.js";
import { prepareSettings, raceApart, restoreOnLeaving, restoreSettings } from "./offset_race.js";
import { LEAST_MS, MOST_MS, OFFSETS, STEP_MS, columnOf, lastWords, offsetWords, summaryOf, wholePlan } from "./offset_tries.js";
import { element } from "./svg.js";
import { VERDICTS } from "./words.js";

const ROWS_LEAST = 3;
const ROWS_MOST = 9; // a column with more tries shows the newest
const SIDE = 20;

let state = null;
let tries = [];
let plan = []; // the offsets to race next
let running = false;

function square({ verdict }, column, row, rows) {
  const [x, y] = [column * SIDE + 2, (rows - 1 - row) * SIDE + 2];
  const side = SIDE - 4;
  const good = verdict === "clean";
  return element("g", { class: `try ${good ? "good" : "bad"}` }, element("rect", { x, y, width: side, height: side, rx: 3 }),
    ...(good ? [] : [element("path", { d: `M${x + 4} ${y + 4}l${side - 8} ${side - 8}m0-${side - 8}l-${side - 8} ${side - 8}` })]));
}

function drawTries(wanted) {
  const columns = OFFSETS.map(() => []);
  for (const each of tries) {
    columns[columnOf(each.ms)]?.push(each);
  }
  const rows = Math.min(ROWS_MOST, Math.max(ROWS_LEAST, ...columns.map(({ length }) => length)));
  const [width, height] = [OFFSETS.length * SIDE, rows * SIDE];
  const svg = element("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Races by the start of the transfer to charlie. ${summaryOf(tries)}` },
    element("rect", { x: columnOf(wanted) * SIDE, y: 0, width: SIDE, height, class: "wanted" }),
    element("line", { x1: 0, y1: height - 0.5, x2: width, y2: height - 0.5, class: "ground" }),
    ...columns.flatMap((each, column) => each.slice(-rows).map((one, row) => square(one, column, row, rows))));
  find("#apart-tries").replaceChildren(svg);
}

function show() {
  const range = find("#apart-ms");
  const wanted = range.valueAsNumber;
  const others = state.get("racing") && !running;
  range.setAttribute("aria-valuetext", offsetWords(wanted));
  range.disabled = others;
  find("#apart-words").textContent = offsetWords(wanted);
  setOff(find("#apart-all"), others || running);
  find("#apart-stop").hidden = !running;
  find("#apart-last").textContent = tries.length > 0 ? lastWords(tries.at(-1), VERDICTS) : "";
  find("#apart-summary").textContent = running ? "" : summaryOf(tries);
  drawTries(wanted);
}

async function racePlan() {
  try {
    await prepareSettings(find("#apart-keep").checked);
    while (plan.length > 0) {
      const wanted = plan.shift();
      find("#apart-ms").value = String(wanted);
      tries.push(await raceApart(wanted));
      show();
    }
  } finally {
    plan = [];
    await restoreSettings();
  }
}

// Races the offsets of the plan, unless they are being raced already: then the new ones are next.
async function run(offsets) {
  plan = offsets;
  if (!running) {
    running = true;
    await busy(racePlan);
    running = false;
    show();
  }
}

function sectionMade() {
  const ms = { type: "range", id: "apart-ms", min: String(LEAST_MS), max: String(MOST_MS), step: String(STEP_MS), value: "0" };
  return make("section", { id: "apart", class: "panel", "aria-labelledby": "apart-title" },
    make("h3", { id: "apart-title" }, "Move the start of one transfer"),
    make("p", { class: "apart-words" }, make("label", { for: "apart-ms" }, "Start the transfer to charlie "), make("strong", { id: "apart-words" }), "."),
    make("div", { class: "apart-field" }, make("input", ms), make("div", { id: "apart-tries" }),
      make("p", { class: "apart-scale", "aria-hidden": "true" }, make("span", {}, "-5 ms"), make("span", {}, "0"), make("span", {}, "5 ms"))),
    make("p", { id: "apart-last" }), make("p", { id: "apart-summary", role: "status" }),
    make("div", { class: "buttons" },
      make("button", { type: "button", id: "apart-all" }, "Try all offsets"),
      make("button", { type: "button", id: "apart-stop", hidden: true }, "Stop"),
      make("button", { type: "button", id: "apart-clear", class: "quiet" }, "Clear"),
      make("label", { class: "choice" }, make("input", { type: "checkbox", id: "apart-keep" }), "with the delay and the barrier as set above")),
    make("p", { class: "apart-note" }, "Every value is a race on the real database, with the selected strategy, from the initial balances. " +
      "A square stands where its two transfers reached the server: a cross means that the race went wrong."));
}

export function startOffsets(theState) {
  state = theState;
  find("#panel-fix").after(sectionMade());
  restoreOnLeaving();
  state.on(["racing"], show);
  find("#apart-ms").addEventListener("input", () => run([find("#apart-ms").valueAsNumber]));
  find("#apart-all").addEventListener("click", () => {
    if (!isOff(find("#apart-all"))) {
      run(wholePlan());
    }
  });
  find("#apart-stop").addEventListener("click", () => {
    plan = [];
    find("#apart-all").focus();
  });
  find("#apart-clear").addEventListener("click", () => {
    tries = [];
    show();
  });
  show();
}
