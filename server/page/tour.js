// The guided tour: five steps that drive the page and say, in plain sentences, what was seen.

import { api } from "./api.js";
import { raceOnce } from "./controls.js";
import { find, make } from "./dom.js";
import { attempt } from "./problem.js";
import { single } from "./races.js";
import { replay, shownRace } from "./stage.js";
import { money, milliseconds } from "./words.js";

async function prepare({ delay, barrier }) {
  await api.setStrategy("vulnerable");
  await api.setDelay(delay, 200);
  await api.setBarrier(barrier, 2);
}

async function alice() {
  const accounts = await api.accounts();
  return money(accounts.find(({ id }) => id === "alice").balance);
}

async function raceAndTell(settings, tell) {
  await prepare(settings);
  const records = await raceOnce();
  return records ? tell(records.filter(({ status }) => status === "success").length, await alice()) : "";
}

function readingOf(race) {
  const [miss] = race?.missed ?? [];
  if (!miss) {
    return "There is no stale read to look at right now. Go back a step and let the barrier make one.";
  }
  const later = milliseconds(miss.writtenUs - miss.readUs);
  return `Here ${miss.reader} read ${money(miss.valueRead)}. ${later} later ${miss.writer} had written ` +
    `${money(miss.valueWritten)}, and ${miss.reader} did not look again: it checked the number it remembered. ` +
    `That is the red line, from the read to the write it missed.`;
}

const STEPS = [
  {
    title: "One transfer",
    text: ["A transfer reads the balance, checks that it is enough, deducts, and adds the money to the other account. " +
      "Alone, nothing can go wrong with that."],
    button: "Send $100 from alice to bob",
    act: async () => {
      await prepare({ delay: false, barrier: false });
      await single(100);
      return `alice had $1000.00 and is at ${await alice()} now, as everybody expects.`;
    },
  },
  {
    title: "Two at once",
    text: ["Now two transfers of $800, at the same moment, out of $1000. One of them has to be refused.",
      "Whether it is depends on microseconds, so try it a few times: that is why such faults live for years."],
    button: "Race two transfers",
    act: () => raceAndTell({ delay: false, barrier: false }, (done, balance) => done === 2
      ? `Both succeeded: alice is at ${balance}. Nobody lied to the program, it was only unlucky.`
      : `One was refused this time, alice is at ${balance}. Try again, or take luck out of it in the next step.`),
  },
  {
    title: "The barrier",
    text: ["A barrier lets nobody go on to the check before both have read. It does not cause the fault: it only makes " +
      "the unlucky moment certain. A delay of 200 ms widens the window, so that you can see it."],
    button: "Race with the barrier",
    act: () => raceAndTell({ delay: true, barrier: true }, (done, balance) =>
      `${done === 2 ? "Both" : done} succeeded and alice is at ${balance}. $1600 were spent out of $1000, every time.`),
  },
  {
    title: "Read the picture",
    text: ["A lane is a transfer, and time runs along it. On one side of the bar stands what it saw, on the other what " +
      "it did. The axis is stretched where much happens."],
    reading: () => readingOf(shownRace("race")),
    button: "Play it slowly",
    act: async () => {
      replay("race");
      return "";
    },
  },
  {
    title: "The fix",
    text: ["The same two, barrier and delay still on, but each locks the row before it reads it (SELECT ... FOR UPDATE " +
      "in one transaction). The second has to wait until the first has committed: the hatched band."],
    button: "Race them under the fix",
    act: async () => {
      await prepare({ delay: true, barrier: true });
      const records = await raceOnce("for_update");
      return records ? `One succeeded, the other waited, read $200.00 and was refused: alice is at ${await alice()}. ` +
        "That is the whole lab. Try the other strategies: seven are safe, and five only look it." : "";
    },
  },
];

let at = 0;

function show(focus) {
  const step = STEPS[at];
  const texts = [...step.text, ...(step.reading ? [step.reading()] : [])];
  find("#tour-title").textContent = `${at + 1} of ${STEPS.length}: ${step.title}`;
  find("#tour-text").replaceChildren(...texts.map((text) => make("p", {}, text)));
  find("#tour-act").textContent = step.button;
  find("#tour-outcome").textContent = "";
  find("#tour-back").disabled = at === 0;
  find("#tour-next").textContent = at + 1 === STEPS.length ? "Finish" : "Next";
  [...find("#tour-dots").children].forEach((dot, index) => dot.classList.toggle("here", index <= at));
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

async function act() {
  const button = find("#tour-act");
  const step = STEPS[at];
  button.disabled = true;
  const told = await attempt(step.act);
  button.disabled = false;
  if (STEPS[at] === step && told) {
    find("#tour-outcome").textContent = told;
  }
}

export function startTour() {
  find("#tour-dots").replaceChildren(...STEPS.map(() => make("li")));
  find("#tour-open").addEventListener("click", () => find("#tour").hidden ? open() : close());
  find("#tour-close").addEventListener("click", close);
  find("#tour-act").addEventListener("click", act);
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
