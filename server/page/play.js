// The page on which a person is the scheduler: POST /lesson says where both transfers stand after the steps so far.

import { api } from "./api.js";
import { find, make, setOff, unbroken } from "./dom.js";
import { startThemeSwitch } from "./theme_switch.js";
import { answerOf, historyOf, LESSONS, standingOf, verdictOf } from "./play_words.js";

const state = {
  lesson: LESSONS[0].name,
  order: [], // the sessions of the steps
  positions: new Map(), // by lesson and order: what the server has answered
  tried: new Set(), // finished orders
  busy: false,
};

const keyOf = (order) => `${state.lesson}:${order.join(",")}`;
const position = () => state.positions.get(keyOf(state.order));

function showProblem(text) {
  find("#problem").hidden = text === "";
  find("#problem-text").textContent = text;
}

function showLine(line, number, session, steps) {
  const step = steps.find((each) => each.step === line.step);
  const isNext = session.next_step === line.step;
  const kind = step ? (isNext ? "waits" : step.answers.some((each) => each.error) ? "failed" : "done")
    : isNext ? "next" : session.standing === "ended" ? "skipped" : "ahead";
  const answer = kind === "skipped" ? "not run" : step ? answerOf(step) : "";
  const isPlain = step !== undefined && answer === step.sql; // BEGIN and COMMIT
  return make("li", { class: kind, "aria-current": kind === "next" ? "step" : null },
    make("span", { class: "number" }, number === 0 ? "" : `${number}`),
    make("code", {}, step ? step.sql : line.sql),
    answer === "" || isPlain ? null : make("span", { class: "answer" }, ...unbroken(answer)));
}

function showLane(session, at) {
  const lane = find(`#lane-${session.name}`);
  lane.classList.toggle("waiting", session.standing === "waiting");
  lane.querySelector(".standing").textContent = standingOf(session);
  const placeOf = (line) => at.order.indexOf(line.step) + 1;
  lane.querySelector(".program").replaceChildren(
    ...session.program.map((line) => showLine(line, placeOf(line), session, at.steps)));
  setOff(find(`#step-${session.name}`), session.standing !== "ready");
}

function showRows(at) {
  find("#rows").replaceChildren(...at.state[0].rows.map(([account, balance]) =>
    make("li", { class: Number(balance) < 0 ? "bad" : null },
      make("span", { class: "who" }, `${account} `), ...unbroken(historyOf([balance])))));
  const balances = state.order.map((_, index) => state.order.slice(0, index + 1))
    .map((order) => state.positions.get(keyOf(order))?.state[0].rows[0][1]);
  const first = state.positions.get(keyOf([]))?.state[0].rows[0][1];
  find("#history-of-alice").replaceChildren("alice in the database: ",
    ...unbroken(historyOf([first, ...balances].filter((each) => each !== undefined))));
}

function show() {
  const at = position();
  for (const button of find("#lessons").children) {
    button.setAttribute("aria-pressed", String(button.dataset.name === state.lesson));
  }
  find("#idea").textContent = LESSONS.find((each) => each.name === state.lesson).idea;
  setOff(find("#back"), state.order.length === 0);
  if (!at) {
    return;
  }
  at.sessions.forEach((session) => showLane(session, at));
  showRows(at);
  if (at.sessions.every((session) => session.standing === "ended")) {
    state.tried.add(keyOf(state.order));
  }
  const tried = [...state.tried].filter((key) => key.startsWith(`${state.lesson}:`)).length;
  const verdict = verdictOf(state.lesson, at, tried);
  find(".goal").className = `goal ${verdict.kind}`;
  find("#verdict").replaceChildren(...unbroken(verdict.text));
  find("#order").textContent = state.order.length === 0 ? "" : `The order so far: ${at.order.join(" ")}`;
}

// Asks for the position of an order, and goes there. An order that was asked before needs no answer.
async function goTo(order) {
  if (state.busy) {
    return;
  }
  state.busy = true;
  try {
    if (!state.positions.has(keyOf(order))) {
      state.positions.set(keyOf(order), await api.lesson(state.lesson, order));
    }
    state.order = order;
    showProblem("");
  } catch (problem) {
    showProblem(problem.detail || problem.message);
  } finally {
    state.busy = false;
  }
  show();
}

function step(name) {
  const session = position()?.sessions.find((each) => each.name === name);
  if (session?.standing === "ready") {
    void goTo([...state.order, name]);
  }
}

function stepBack() {
  void goTo(state.order.slice(0, -1));
}

function choose(name) {
  if (!state.busy) {
    state.lesson = name;
    void goTo([]);
  }
}

const KEYS = { ArrowLeft: () => step("A"), ArrowRight: () => step("B"), " ": stepBack };

function onKey(event) {
  const action = KEYS[event.key];
  const isTyped = event.key === " " && event.target.closest("button, a, input, select") !== null;
  if (action && !isTyped && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    action();
  }
}

find("#lessons").replaceChildren(...LESSONS.map(({ name, title }) =>
  make("button", { type: "button", "data-name": name, "aria-pressed": "false" }, title)));
find("#lessons").addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) {
    choose(button.dataset.name);
  }
});
find("#step-A").addEventListener("click", () => step("A"));
find("#step-B").addEventListener("click", () => step("B"));
find("#back").addEventListener("click", stepBack);
find("#again").addEventListener("click", () => void goTo([]));
document.addEventListener("keydown", onKey);
startThemeSwitch();
void goTo([]);
