// The steps of both guided tours. A step sets what it needs with one request, sends its own transfers from the initial
// balances, and judges the records. So it works for any earlier state of the switches.

import { api } from "./api.js";
import { changeSettings } from "./controls.js";
import { togglePlay } from "./cursor.js";
import { race } from "./races.js";
import { shownRace } from "./race_panels.js";
import {
  LEFT, OVERDRAWN, START, TOGETHER, TOO_MUCH, afterBarrier, afterCure, afterFix, afterOne, afterTwo, afterWrongFix, fixOf,
  onePrimary, othersWords, readingOf,
} from "./tour_words.js";
import { money } from "./words.js";

const KEYS = ["strategy", "delay_enabled", "delay_ms", "barrier_enabled", "barrier_count"];
const THREE = ["alice", "bob", "charlie"];

let found = null; // the settings before the first step that changed them
let made = null; // the settings of the last step

const isSet = (settings, wanted) => Object.keys(wanted).every((name) => settings[name] === wanted[name]);

async function apply(settings) {
  const before = await api.settings();
  found ??= Object.fromEntries(KEYS.map((name) => [name, before[name]]));
  made = settings;
  await changeSettings(settings);
}

function takeFound() {
  const [settings, wanted] = [found, made];
  found = made = null;
  return settings && { settings, wanted };
}

// Sets the settings that the tour has found, unless somebody has changed them meanwhile.
export async function restoreSettings() {
  const taken = takeFound();
  if (taken && isSet(await api.settings(), taken.wanted)) {
    await changeSettings(taken.settings);
  }
}

// The page is being closed or reloaded: no answer can be waited for.
export function restoreAtOnce() {
  const taken = takeFound();
  if (taken) {
    api.setSettingsAtTheEnd(taken.settings);
  }
}

async function play({ strategy = "vulnerable", widened }, transfers) {
  const settings = { strategy, delay_enabled: widened, delay_ms: 200, barrier_enabled: widened, barrier_count: 2 };
  await apply(settings);
  const records = await race({ resetFirst: true, ...transfers });
  const [accounts, now] = await Promise.all([api.accounts(), api.settings()]);
  const balances = accounts.filter(({ id }) => THREE.includes(id)).map(({ balance }) => Math.round(balance * 100));
  return {
    records, changed: !isSet(now, settings), alice: accounts.find(({ id }) => id === "alice").balance,
    together: balances.reduce((sum, cents) => sum + cents, 0) / 100,
  };
}

const one = { racers: () => 1, amount: 100, strategy: "vulnerable" };
const two = (strategy) => ({ racers: () => 2, strategy });
const aboutAlice = (...answers) => ({ question: "How much will alice have?", answers: answers.map(money) });
const aboutAll = (...answers) => ({ question: "How much will alice, bob and charlie have together?", answers: answers.map(money) });

function aboutTheReading() {
  const reading = readingOf(shownRace("race"));
  if (!reading || !shownRace("race").finished) {
    return null;
  }
  const [miss] = shownRace("race").missed;
  return {
    question: `What did ${miss.reader} read as ${miss.account}'s balance: the amount before or after the write of ${miss.writer}?`,
    answers: [money(miss.valueRead), money(miss.valueWritten)],
  };
}

export function firstTour(strategies) {
  return {
    name: "tour",
    steps: [
      {
        title: "One transfer",
        text: ["A transfer reads the balance, checks that it is enough, deducts, and adds the money to the other account. alice " +
          `has ${money(START)} and sends $100.00 to bob. Predict, and the tour runs it.`],
        settings: "vulnerable, no delay, no barrier",
        ask: () => aboutAlice(900, START),
        run: async () => afterOne(await play({ widened: false }, one)),
      },
      {
        title: "Two at once",
        text: [`Now two transfers of $800.00 start at the same moment, and alice has ${money(START)}. One of them must be refused. ` +
          "The result depends on microseconds. Such faults stay unnoticed for years, because they are rare."],
        settings: "vulnerable, no delay, no barrier",
        ask: () => aboutAlice(LEFT, OVERDRAWN),
        run: async () => afterTwo(await play({ widened: false }, two("vulnerable"))),
      },
      {
        title: "The barrier",
        text: ["With the barrier no transfer continues to its check before both have read. A delay of 200 ms widens the window, so " +
          "that you can see it. Both do not cause the fault: they only make the unlucky moment certain."],
        settings: "vulnerable, delay 200 ms, barrier for 2",
        ask: () => aboutAlice(LEFT, OVERDRAWN),
        run: async () => afterBarrier(await play({ widened: true }, two("vulnerable"))),
      },
      {
        title: "Read the picture",
        text: ["The picture below shows the race. A lane is a transfer, and time runs along it. The answer plays it slowly."],
        without: "There is no stale read to look at now. Go back one step and make one with the barrier.",
        ask: aboutTheReading,
        run: () => {
          const reading = readingOf(shownRace("race"));
          togglePlay("race");
          return reading ?? { disturbed: "Another race is shown now. Go back one step and make one with the barrier." };
        },
      },
      {
        title: "The fix",
        text: ["The same two transfers, and barrier and delay are still on. But each locks the row before it reads it: SELECT ... " +
          "FOR UPDATE, in one transaction."],
        settings: "delay 200 ms, barrier for 2; these two transfers run under for_update",
        ask: () => aboutAlice(OVERDRAWN, LEFT),
        run: async () => afterFix(await play({ widened: true }, two("for_update"))),
        solves: true,
      },
    ],
    unsolved: "The fix has not run yet. Go back and run it, or close the tour.",
    solved: ["The same two transfers, the same barrier, the same delay: alice keeps $200.00, and one transfer is refused, as it must be.",
      othersWords(strategies)],
  };
}

function fixStep(strategy) {
  const fix = fixOf(strategy);
  const transfers = two(fix.rival ? [fix.name, fix.rival] : fix.name);
  return {
    title: fix.title,
    text: [fix.believed, ...(fix.setting ? [fix.setting] : [])],
    settings: `${fix.name}${fix.rival ? ` against ${fix.rival}` : ""}, delay 200 ms, barrier for 2`,
    ask: () => fix.asks === "alice" ? aboutAlice(LEFT, OVERDRAWN) : aboutAll(TOGETHER, TOO_MUCH),
    run: async () => afterWrongFix(fix, await play({ widened: true, strategy: fix.name }, transfers)),
    solves: true,
    ends: fix.ends,
    cure: {
      name: fix.cure,
      run: async () => afterCure(fix, await play({ widened: true, strategy: fix.name }, two(fix.cure))),
    },
  };
}

export function fixesTour(strategies) {
  const wrong = onePrimary(strategies).filter(({ safe }) => !safe);
  return {
    name: "fixes",
    steps: wrong.map(fixStep),
    unsolved: "Some of them have not run yet. Go back and run them, or close the tour.",
    solved: ["Each of them failed, and each has an end:",
      ...wrong.map(fixOf).map((fix) => `${fix.name}: ${fix.ends} (${fix.cure})`)],
  };
}
