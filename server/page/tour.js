// The guided tours. Before each step a tour asks for a prediction; the answer runs the step; then the tour says whether
// the prediction was right, and why. It begins with empty panels and restores the settings that it has found.

import { busy } from "./controls.js";
import { find, isOff, make, onPress, setOff, unbroken } from "./dom.js";
import { attempt } from "./problem.js";
import { firstTour, fixesTour, restoreAtOnce, restoreSettings } from "./tour_steps.js";
import { scoreWords } from "./tour_words.js";

const OPENERS = { tour: "#tour-open", fixes: "#fixes-open" };
const MAKERS = { tour: firstTour, fixes: fixesTour };

let state = null;
let clean = () => {};
let tour = null; // the open tour
let at = 0; // tour.steps.length: its end
let predictions = []; // by step: {predicted}, and after it has run {actual, right}

const atEnd = () => at === tour.steps.length;
const isSolved = () => tour.steps.every((step, index) => !step.solves || predictions[index]?.actual !== undefined);

function paragraphs(texts) {
  return texts.map((text) => make("p", {}, ...unbroken(text)));
}

function endTexts() {
  const score = scoreWords(predictions.filter((each) => each?.actual !== undefined).map(({ right }) => right));
  const said = isSolved() ? tour.solved : [tour.unsolved];
  return [...said, ...(score ? [score] : []), "The settings go back to what they were when the tour began."];
}

function setTexts(texts) {
  const shown = [...find("#tour-text").children].map((paragraph) => paragraph.textContent);
  if (texts.join("\n") !== shown.join("\n")) {
    find("#tour-text").replaceChildren(...paragraphs(texts));
  }
}

function answerButton(answer, isRunning) {
  const button = make("button", { type: "button", class: "answer", "aria-pressed": String(predictions[at]?.predicted === answer) }, answer);
  setOff(button, isRunning);
  button.addEventListener("click", () => isOff(button) ? undefined : predict(answer));
  return button;
}

// The buttons stay the same elements while their words do, so that the pressed one keeps the focus.
function showAsk(asked) {
  const isRunning = state.get("racing");
  const list = find("#tour-answers");
  const answers = asked?.answers ?? [];
  find("#tour-ask").hidden = answers.length === 0;
  find("#tour-question").textContent = asked?.question ?? "";
  if ([...list.children].map((button) => button.textContent).join("\n") !== answers.join("\n")) {
    list.replaceChildren(...answers.map((answer) => answerButton(answer, isRunning)));
  }
  for (const button of list.children) {
    setOff(button, isRunning);
    button.setAttribute("aria-pressed", String(predictions[at]?.predicted === button.textContent));
  }
  setOff(find("#tour-cure"), isRunning);
}

// Updates the parts of a step that depend on the rest of the page: another race may be shown while a person reads a
// step.
export function refreshTour() {
  if (tour === null) {
    return;
  }
  if (atEnd()) {
    setTexts(endTexts());
    showAsk(null);
    return;
  }
  const step = tour.steps[at];
  const asked = step.ask();
  setTexts([...step.text, ...(asked ? [] : [step.without])]);
  showAsk(asked);
}

function showCure() {
  const cure = atEnd() ? null : tour.steps[at].cure;
  find("#tour-cure").hidden = !cure || !predictions[at]?.actual;
  find("#tour-cure").textContent = cure ? `Race them under ${cure.name}` : "";
}

function show() {
  const step = tour.steps[at];
  const count = tour.steps.length;
  find("#tour-title").textContent = atEnd() ? (isSolved() ? "\u2713 Solved" : "The end of the tour") : `${at + 1} of ${count}: ${step.title}`;
  find("#tour-settings").textContent = step?.settings ? `The tour sets: ${step.settings}.` : "";
  find("#tour-outcome").replaceChildren();
  find("#tour-answers").replaceChildren();
  find("#tour-back").hidden = at === 0;
  find("#tour-next").textContent = atEnd() ? "Close the tour" : at + 1 === count ? "Finish" : "Next";
  find("#tour-other").hidden = !(atEnd() && tour.name === "tour");
  find("#tour-dots").replaceChildren(...tour.steps.map((_, index) => make("li", { class: index <= at ? "here" : "" })));
  showCure();
  refreshTour();
  find("#tour-title").focus({ preventScroll: true });
  find("#tour").scrollIntoView({ block: "start" });
}

function setHash(hash) {
  history.replaceState(history.state, "", `${location.pathname}${location.search}${hash}`);
}

function focusOn(selector) {
  const wanted = find(selector);
  (wanted.checkVisibility() ? wanted : find("#timelines")).focus();
}

function setExpanded(name) {
  for (const [each, opener] of Object.entries(OPENERS)) {
    find(opener).setAttribute("aria-expanded", String(each === name));
  }
}

// Returns whether a tour was open.
export function closeTour() {
  if (tour === null) {
    return false;
  }
  const opener = OPENERS[tour.name];
  tour = null;
  find("#tour").hidden = true;
  document.documentElement.classList.remove("touring");
  setExpanded(null);
  setHash("");
  focusOn(opener);
  void attempt(restoreSettings);
  return true;
}

function open(name) {
  tour = MAKERS[name](state.get("strategies"));
  at = 0;
  predictions = [];
  clean();
  find("#tour").hidden = false;
  document.documentElement.classList.add("touring");
  setExpanded(name);
  setHash(`#${name}`);
  show();
}

// Opens the tour that the address names.
export function openAddressedTour() {
  const name = location.hash.slice(1);
  if (MAKERS[name] && tour?.name !== name && state.get("strategies").length > 0) {
    open(name);
  }
}

// The message stands in the tour itself, because the page's own message is out of sight there.
async function outcomeOf(run) {
  try {
    return await run();
  } catch (problem) {
    return { disturbed: `This step has failed. ${problem.detail || problem.message}` };
  }
}

function verdictOf({ right, predicted }) {
  return make("span", { class: `verdict ${right ? "good" : "bad"}` },
    right ? "\u2713 You were right" : `\u2715 You predicted ${predicted}`);
}

function showOutcome(step, judged) {
  const texts = judged.disturbed ? [judged.disturbed]
    : [`${judged.now} ${judged.why}`, ...(step.ends ? [`What ends it: ${step.ends}`] : [])];
  const shown = paragraphs(texts);
  if (!judged.disturbed) {
    shown[0].prepend(verdictOf(predictions[at]), " ");
  }
  find("#tour-outcome").replaceChildren(...shown);
  showCure();
}

async function predict(predicted) {
  const step = tour.steps[at];
  const index = at;
  const own = predictions;
  find("#tour-outcome").replaceChildren();
  own[index] = { ...own[index], predicted };
  refreshTour();
  const judged = await busy(() => outcomeOf(step.run));
  own[index] = { predicted, actual: judged.actual, right: judged.actual === predicted };
  if (judged.disturbed) {
    delete own[index];
  }
  if (tour?.steps[at] === step) {
    showOutcome(step, judged);
    refreshTour();
  }
}

async function cure() {
  const step = tour.steps[at];
  const said = await busy(() => outcomeOf(async () => ({ disturbed: await step.cure.run() })));
  if (tour?.steps[at] === step) {
    find("#tour-outcome").append(...paragraphs([said.disturbed]));
  }
}

function go(step) {
  at += step;
  if (at > tour.steps.length) {
    closeTour();
  } else {
    show();
  }
}

// clear() empties the panels, also of a race that the address has pinned.
export function startTour(theState, clear) {
  state = theState;
  clean = clear;
  state.on(["racing"], refreshTour);
  for (const [name, opener] of Object.entries(OPENERS)) {
    find(opener).addEventListener("click", () => tour?.name === name ? closeTour() : open(name));
  }
  find("#tour-other").addEventListener("click", () => open("fixes"));
  find("#tour-close").addEventListener("click", closeTour);
  onPress("#tour-cure", cure);
  find("#tour-back").addEventListener("click", () => go(-1));
  find("#tour-next").addEventListener("click", () => go(1));
  addEventListener("hashchange", openAddressedTour);
  addEventListener("pagehide", restoreAtOnce);
}
