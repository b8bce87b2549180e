// The explorer's page: opens a document of race-explore --json, and shows one of its orders step by step. A page that
// race-explore --html has written holds its document already.

import { find, make } from "./dom.js";
import { readDocument, tooLarge } from "./explore_document.js";
import { drawGraph } from "./explore_graph.js";
import { drawGrid, showCell, startGrid } from "./explore_grid.js";
import { gridOf, labCase, orderNumber, showMatrix } from "./explore_lab.js";
import { alignedPositions, differsFromAll, isOnlyHere, readOrder, stepsLeftOut, tablesAt } from "./explore_order.js";
import { lettersOf, orderAsOutcome } from "./explore_orders.js";
import { drawSerial, drawTables } from "./explore_rows.js";
import { drawLanes } from "./explore_steps.js";
import { besideText, count, isBad, levelText, outcomeName, positionText, whyText } from "./explore_words.js";
import { startThemeSwitch } from "./theme_switch.js";

const OUTCOMES_DRAWN = 200;

const shown = { found: null, explored: null, exploration: null, outcome: null, beside: null };
let here = null; // the order: {order, lanes}
let there = null; // the same order at another level, with its positions; or null
let position = 0;

function complain(sentence) {
  find("#problem").hidden = sentence === null;
  find("#problem-text").textContent = sentence ?? "";
}

// --- The order and its positions ---

function verdict(box, outcome) {
  const bad = isBad(outcome);
  box.className = `verdict ${bad ? "bad" : "good"}`;
  box.replaceChildren(make("span", { "aria-hidden": "true" }, bad ? "\u2715 " : "\u2713 "), outcomeName(outcome));
}

function endText(state, serial) {
  if (state.some((table) => table.rows.some((row) => isOnlyHere(table, row, serial)))) {
    return "A row with * is in no serial outcome.";
  }
  return differsFromAll(state, serial) ? "Each row is in a serial outcome, but no serial outcome has all of them."
    : serial.length > 0 ? "A serial outcome has the same rows." : "";
}

function showRows() {
  const last = here.order.steps.length;
  const moment = position === last ? "at the end" : position === 0 ? "at the beginning" : `after step ${position}`;
  const serial = position === last ? shown.exploration.serial : [];
  find("#here-rows-title").textContent = `${shown.exploration.level}, ${moment}`;
  drawTables(find("#here-rows"), tablesAt(shown.outcome, position, last), serial);
  find("#beside-rows-part").hidden = there === null;
  if (there !== null) {
    find("#beside-rows-title").textContent = `${shown.beside.level}, ${moment}`;
    drawTables(find("#beside-rows"), tablesAt(shown.beside, there.positions[position], there.order.steps.length), serial);
  }
  find("#rows-note").textContent = position === last ? endText(shown.outcome.state, serial) : "Another session would read these rows now.";
}

function goTo(next) {
  const last = here.order.steps.length;
  position = Math.max(0, Math.min(last, next));
  here.lanes.show(position);
  there?.lanes.show(there.positions[position]);
  find("#position").textContent = positionText(here.order, position);
  for (const [id, disabled] of [["first", position === 0], ["back", position === 0], ["next", position === last], ["last", position === last]]) {
    find(`#${id}`).disabled = disabled;
  }
  showRows();
}

// A button that becomes disabled loses the focus, so the focus moves on with the hand.
function step(by) {
  const focused = document.activeElement?.id;
  goTo(position + by);
  if (focused && document.getElementById(focused)?.disabled) {
    find(by > 0 ? "#back" : "#next").focus();
  }
  here.lanes.current()?.scrollIntoView({ block: "nearest" });
}

// --- Choosing ---

// Buttons of which one is pressed. values: [{name, value, bad}].
function choices(box, values, pressed, choose) {
  box.replaceChildren(...values.map(({ name, value }) => {
    const button = make("button", { type: "button", "aria-pressed": String(value === pressed) }, name);
    button.addEventListener("click", () => {
      for (const each of box.querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(each === button));
      }
      choose(value);
    });
    return button;
  }));
}

// A deadlock has an outcome for each of its victims: they get numbers.
function besideNames(besides) {
  return besides.map((each, index) => {
    const same = besides.filter(({ level }) => level === each.level);
    const number = besides.slice(0, index + 1).filter(({ level }) => level === each.level).length;
    return { name: same.length > 1 ? `${each.level} (${number})` : each.level, value: each };
  });
}

function showBeside(beside) {
  shown.beside = beside;
  find("#beside").hidden = beside === null;
  there = null;
  if (beside !== null) {
    const order = readOrder(beside, shown.explored.sessions);
    there = { order, lanes: drawLanes(find("#beside-lanes"), order), positions: alignedPositions(here.order, order) };
    verdict(find("#beside-verdict"), beside);
    find("#beside-text").textContent = besideText(order, stepsLeftOut(here.order, order));
  }
  goTo(position);
}

// number: that of the outcome in the list.
function showOutcome(outcome, number = shown.exploration.outcomes.indexOf(outcome)) {
  shown.outcome = outcome;
  for (const button of document.querySelectorAll("#outcomes button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.number) === number));
  }
  const order = readOrder(outcome, shown.explored.sessions);
  here = { order, lanes: drawLanes(find("#here-lanes"), order) };
  find("#here-title").textContent = shown.exploration.level;
  verdict(find("#here-verdict"), outcome);
  position = order.steps.length;
  const besides = besideNames(outcome.beside ?? []);
  choices(find("#beside-levels"), besides, besides.at(-1)?.value, showBeside);
  showBeside(besides.at(-1)?.value ?? null);
  find("#graph-title").textContent = isBad(outcome) ? "Why no serial order exists" : "Conflicts";
  find("#why").textContent = whyText(outcome, shown.exploration.serial);
  drawGraph(find("#graph"), find("#edges"), outcome.graph);
  drawSerial(find("#serial"), shown.exploration.serial, order);
  find("#again").textContent = outcome.replay;
}

function outcomeItem(outcome, number) {
  const bad = isBad(outcome);
  const button = make("button", { type: "button", "aria-pressed": "false", "data-number": String(number) },
    make("span", { class: `sign ${bad ? "bad" : "good"}`, "aria-hidden": "true" }, bad ? "\u2715" : "\u2713"),
    make("span", { class: "outcome-name" }, outcomeName(outcome)),
    make("span", { class: "note" }, count(outcome.count, "order")));
  button.addEventListener("click", () => showSmallest(outcome));
  return make("li", {}, button);
}

// Shows the order of an outcome that the document has, and marks its cell if there is a grid.
function showSmallest(outcome) {
  const lab = gridOf(shown.explored);
  if (lab === null) {
    showOutcome(outcome);
  } else {
    chooseOrder(orderNumber(lab, outcome.steps.map(({ session }) => session).join("")), false);
  }
}

// Shows an order of the grid. opens: it was pressed, so the picture is scrolled into view.
function chooseOrder(number, opens) {
  const { grid, pool } = gridOf(shown.explored);
  const order = grid.orders[number];
  const outcome = shown.exploration.outcomes[order.outcome];
  showOutcome(orderAsOutcome(order, outcome, pool), order.outcome);
  showCell(number);
  history.replaceState(null, "", `/explore?${new URLSearchParams({ case: grid.id, order: lettersOf(order, pool) })}`);
  if (opens) {
    find("#player").scrollIntoView({ block: "start" });
  }
}

function showExploration(exploration) {
  shown.exploration = exploration;
  find("#level-text").textContent = levelText(exploration);
  const all = exploration.outcomes.map((outcome, number) => ({ outcome, number }))
    .sort((one, other) => Number(isBad(other.outcome)) - Number(isBad(one.outcome)) || one.number - other.number);
  find("#outcomes").replaceChildren(...all.slice(0, OUTCOMES_DRAWN).map(({ outcome, number }) => outcomeItem(outcome, number)));
  find("#outcomes-more").hidden = all.length <= OUTCOMES_DRAWN;
  find("#outcomes-more").textContent = `${count(all.length - OUTCOMES_DRAWN, "more outcome")} not listed.`;
  const first = exploration.outcomes.find((outcome) => outcome.beside !== undefined) ?? all[0]?.outcome ?? null;
  for (const part of document.querySelectorAll("#player, #player ~ section")) {
    part.hidden = first === null;
  }
  const lab = gridOf(shown.explored);
  find("#grid").hidden = lab === null;
  if (lab !== null) {
    drawGrid(lab.grid, exploration, lab.pool, chooseOrder);
  }
  if (first !== null) {
    showSmallest(first);
  }
}

function showCase(explored) {
  shown.explored = explored;
  find("#what").textContent = `${explored.name ?? explored.file}: sessions ${explored.sessions.join(", ")}`;
  document.title = `${explored.name ?? explored.file}: the explorer`;
  complain(explored.problem === null ? null : `The case could not be run: ${explored.problem}`);
  const first = explored.explorations[0] ?? null;
  choices(find("#levels"), explored.explorations.map((each) => ({ name: each.level, value: each })), first, showExploration);
  for (const part of document.querySelectorAll("#choice > :not(.switches), #player, #player ~ section")) {
    part.hidden = first === null;
  }
  if (first !== null) {
    showExploration(first);
  }
}

function showDocument(found) {
  shown.found = found;
  find("#empty").hidden = find("#matrix").hidden = found.cases.length > 0;
  find("#found").hidden = found.cases.length === 0;
  find("#case").replaceChildren(...found.cases.map((each, index) => make("option", { value: String(index) }, each.name ?? each.file)));
  find("#case-field").hidden = found.cases.length < 2;
  if (found.cases.length === 0) {
    complain("The document has no case.");
    return;
  }
  showCase(found.cases[0]);
}

// --- Opening ---

function open(text, name) {
  const { found, problem } = readDocument(text);
  if (problem !== undefined) {
    complain(`${name} cannot be shown. ${problem}`);
    return;
  }
  complain(null);
  showDocument(found);
}

async function openFile(file) {
  const problem = tooLarge(file.size);
  if (problem !== null) {
    complain(`${file.name} cannot be shown. ${problem}`);
    return;
  }
  try {
    open(await file.text(), file.name);
  } catch (error) {
    complain(`${file.name} cannot be read: ${error.message}`);
  }
}

// Shows the case of the lab that the address names, or the matrix.
async function showAddress() {
  const wanted = new URLSearchParams(location.search);
  const id = wanted.get("case");
  try {
    if (id === null) {
      await showMatrix(openLabCase);
      find("#empty").hidden = false;
      find("#found").hidden = true;
      complain(null);
      return;
    }
    const { found, explored } = await labCase(id);
    if (explored === null) {
      complain(`The lab has no case "${id}".`);
      return;
    }
    showDocument(found);
    find("#case").value = String(found.cases.indexOf(explored));
    showCase(explored);
    const lab = gridOf(explored);
    const number = lab === null ? -1 : orderNumber(lab, wanted.get("order"));
    if (number !== -1) {
      chooseOrder(number, false);
    }
  } catch (error) {
    complain(`The lab's cases cannot be read: ${error.message}`);
  }
}

function openLabCase(id) {
  history.pushState(null, "", `/explore?${new URLSearchParams({ case: id })}`);
  showAddress();
  scrollTo(0, 0);
}

function startOpening() {
  find("#file").addEventListener("change", ({ target }) => {
    if (target.files.length > 0) {
      openFile(target.files[0]);
      target.value = ""; // the same file can be chosen again
    }
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length > 0) {
      openFile(event.dataTransfer.files[0]);
    }
  });
}

function startStepping() {
  find("#first").addEventListener("click", () => step(-Infinity));
  find("#back").addEventListener("click", () => step(-1));
  find("#next").addEventListener("click", () => step(1));
  find("#last").addEventListener("click", () => step(Infinity));
  document.addEventListener("keydown", (event) => {
    const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
    const isField = event.target instanceof Element && event.target.closest("input, select, textarea") !== null;
    if (here === null || !isPlain || isField || (event.key !== "ArrowLeft" && event.key !== "ArrowRight")) {
      return;
    }
    event.preventDefault();
    step(event.key === "ArrowLeft" ? -1 : 1);
  });
}

function start() {
  startThemeSwitch();
  startOpening();
  startStepping();
  find("#problem-close").addEventListener("click", () => complain(null));
  find("#case").addEventListener("change", ({ target }) => showCase(shown.found.cases[Number(target.value)]));
  let width = 0;
  new ResizeObserver(([{ contentRect }]) => {
    if (shown.outcome !== null && contentRect.width !== width) {
      width = contentRect.width;
      drawGraph(find("#graph"), find("#edges"), shown.outcome.graph);
    }
  }).observe(find("#found"));
  const held = find("#document");
  if (held !== null) {
    for (const link of document.querySelectorAll(".served")) {
      link.hidden = true; // there is no server
    }
    open(held.textContent, "The document of this page");
  } else {
    startGrid();
    showAddress();
    window.addEventListener("popstate", showAddress);
  }
}

start();
