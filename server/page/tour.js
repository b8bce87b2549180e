// The guided tour: five steps that drive the page and explain the result in plain sentences.

import { api } from "./api.js";
import { busy, changeSettings } from "./controls.js";
import { find, make, unbroken } from "./dom.js";
import { race } from "./races.js";
import { replay, shownRace } from "./race_panels.js";
import { afterBarrier, afterFix, afterOne, afterTwo, readingOf } from "./tour_words.js";

let state = null;

// Sets everything the step needs with one request and runs the step: with the initial balances and its own number of
// transfers, for any earlier state of the switches. It calls say(records, alice's balance, whether the settings were
// changed since).
async function play({ delay, barrier }, send, say) {
  const settings = {
    strategy: "vulnerable", delay_enabled: delay, delay_ms: 200, barrier_enabled: barrier, barrier_count: 2,
  };
  await changeSettings(settings);
  const records = await send();
  const [accounts, now] = await Promise.all([api.accounts(), api.settings()]);
  const changed = Object.keys(settings).some((name) => now[name] !== settings[name]);
  return say(records, accounts.find(({ id }) => id === "alice").balance, changed);
}

const one = () => race({ racers: () => 1, amount: 100, strategy: "vulnerable", resetFirst: true });
const two = (strategy) => race({ racers: () => 2, strategy, resetFirst: true });

const STEPS = [
  {
    title: "One transfer",
    text: ["The tour sets the strategy, the delay and the barrier above by itself. It resets the balances before each " +
      "race. The switches stay as the last step has set them.",
    "A transfer reads the balance, checks that it is enough, deducts, and adds the money to the other account. " +
      "With one transfer alone nothing can go wrong."],
    button: "Send $100 from alice to bob",
    run: () => play({ delay: false, barrier: false }, one, afterOne),
  },
  {
    title: "Two at once",
    text: ["Now two transfers send $800 each at the same moment, and alice has $1000. One of them must be refused.",
      "The result depends on microseconds, so try it a few times. Such faults stay unnoticed for years because they are rare."],
    button: "Race two transfers",
    run: () => play({ delay: false, barrier: false }, () => two("vulnerable"), afterTwo),
  },
  {
    title: "The barrier",
    text: ["With the barrier no transfer continues to the check before both have read. The barrier does not cause the " +
      "fault: it only makes the unlucky moment certain. A delay of 200 ms widens the window, so that you can see it."],
    button: "Race with the barrier",
    run: () => play({ delay: true, barrier: true }, () => two("vulnerable"), afterBarrier),
  },
  {
    title: "Read the picture",
    text: ["A lane is a transfer, and time runs along it. One side of the bar shows its reads, the other side its " +
      "writes. The axis is longer where many steps happen."],
    reading: () => readingOf(shownRace("race")),
    button: "Play it slowly",
  },
  {
    title: "The fix",
    text: ["The same two, barrier and delay still on, but each locks the row before it reads it (SELECT ... FOR UPDATE " +
      "in one transaction). The second has to wait until the first has committed: the hatched band."],
    button: "Race them under the fix",
    run: () => play({ delay: true, barrier: true }, () => two("for_update"), async (records, balance, changed) =>
      afterFix(records, balance, changed, await api.strategies())),
  },
];

let at = 0;

// Updates the parts of a step that depend on the rest of the page: another race may be shown while a person reads a
// step.
export function refreshTour() {
  const step = STEPS[at];
  const texts = [...step.text, ...(step.reading ? [step.reading()] : [])];
  const shown = [...find("#tour-text").children].map((paragraph) => paragraph.textContent);
  if (texts.join("\n") !== shown.join("\n")) {
    find("#tour-text").replaceChildren(...texts.map((text) => make("p", {}, text)));
  }
  find("#tour-run").disabled = step.run ? state.get("racing") : !shownRace("race")?.finished;
}

function show(focus) {
  const step = STEPS[at];
  find("#tour-title").textContent = `${at + 1} of ${STEPS.length}: ${step.title}`;
  find("#tour-run").textContent = step.button;
  find("#tour-outcome").textContent = "";
  find("#tour-back").disabled = at === 0;
  find("#tour-next").textContent = at + 1 === STEPS.length ? "Finish" : "Next";
  [...find("#tour-dots").children].forEach((dot, index) => dot.classList.toggle("here", index <= at));
  refreshTour();
  if (focus) {
    find("#tour-title").focus({ preventScroll: true });
    find("#tour").scrollIntoView({ block: "start" });
  }
}

function close() {
  find("#tour").hidden = true;
  find("#tour-open").setAttribute("aria-expanded", "false");
  find("#tour-open").focus();
}

function open() {
  at = 0;
  find("#tour").hidden = false;
  find("#tour-open").setAttribute("aria-expanded", "true");
  show(true);
}

// The message stands in the tour itself, because the page's own message is out of sight there.
async function outcomeOf(step) {
  try {
    return await step.run();
  } catch (problem) {
    return `This step has failed. ${problem.detail || problem.message}`;
  }
}

async function run() {
  const step = STEPS[at];
  if (!step.run) {
    replay("race");
    return;
  }
  find("#tour-outcome").textContent = "";
  const said = await busy(() => outcomeOf(step));
  if (STEPS[at] === step) {
    find("#tour-outcome").replaceChildren(...unbroken(said));
  }
}

export function startTour(theState) {
  state = theState;
  state.on(["racing"], refreshTour);
  find("#tour-dots").replaceChildren(...STEPS.map(() => make("li")));
  find("#tour-open").addEventListener("click", () => find("#tour").hidden ? open() : close());
  find("#tour-close").addEventListener("click", close);
  find("#tour-run").addEventListener("click", run);
  find("#tour-back").addEventListener("click", () => {
    at -= 1;
    show(true);
  });
  find("#tour-next").addEventListener("click", () => {
    if (at + 1 === STEPS.length) {
      close();
    } else {
      at += 1;
      show(true);
    }
  });
}
