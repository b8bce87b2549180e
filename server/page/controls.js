// The switches and buttons. A switch sends the choice and shows the server's setting. So it follows changes from
// elsewhere, and goes back when the server refuses.
//
// Requests in flight at the same time use several connections, and the server may process them in any order. So a
// change is sent after the change before it has been answered, and a race after all changes have been answered: the
// last click counts.

import { api } from "./api.js";
import { find, make, onPress, setOff } from "./dom.js";
import { attempt, clearProblem } from "./problem.js";
import { RACERS_MAX, race, raceMany, racersFor } from "./races.js";
import { addRound, beginRun } from "./rounds.js";
import { tallyOf } from "./rounds_model.js";
import { ONE_SERVER, VERDICTS, count, sentence } from "./words.js";

const inputs = {
  strategy: () => find("#strategy"), delay: () => find("#delay"), delayMs: () => find("#delay-ms"),
  barrier: () => find("#barrier"), barrierCount: () => find("#barrier-count"), fix: () => find("#fix"),
};

let state = null;
let say = () => {};
let beforeRace = () => {};
let running = null; // the AbortController of "Run N"
let changes = Promise.resolve(); // fulfilled when the last change of settings has been answered
const wanted = []; // the settings of the changes that have not been answered yet

// Switches

function options(strategies) {
  return strategies.map(({ name, available = true }) => make("option", available ? { value: name }
    : { value: name, disabled: true, title: "The server has no standby: start it with BANK_API_STANDBY_URL" }, name));
}

function showStrategies({ strategies }) {
  const safe = strategies.filter((strategy) => strategy.safe);
  const wrong = strategies.filter((strategy) => !strategy.safe);
  inputs.strategy().replaceChildren(
    make("optgroup", { label: "Wrong" }, ...options(wrong)), make("optgroup", { label: "Safe" }, ...options(safe)));
  const chosen = inputs.fix().value || "for_update";
  inputs.fix().replaceChildren(...options(safe));
  inputs.fix().value = chosen;
}

function sayStrategy({ strategies, settings }) {
  const strategy = strategies.find(({ name }) => name === settings.strategy);
  const badge = find("#strategy-safety");
  badge.hidden = !strategy;
  if (strategy) {
    const isLimited = strategy.name === ONE_SERVER;
    badge.textContent = strategy.safe ? "\u2713 safe" : isLimited ? "! right with one server" : "\u2715 wrong";
    badge.className = `verdict ${strategy.safe ? "good" : isLimited ? "limited" : "bad"}`;
    const explored = isLimited ? "mutex_of_the_program.right" : strategy.name;
    find("#strategy-orders").href = `/explore?case=${explored}`;
    find("#strategy-orders").hidden = strategy.needs_standby === true; // the explorer has one server
    find("#strategy-idea").textContent = sentence(strategy.idea);
  }
}

// A number field that has the focus keeps its value: the person may be typing.
function setValue(input, value) {
  if (document.activeElement !== input || input.type !== "number") {
    input.value = value;
  }
}

// The settings with the unanswered changes applied, or null while the settings are unknown.
function wantedSettings() {
  const settings = state.get("settings");
  return settings && Object.assign({}, settings, ...wanted);
}

function tooManyWords(racers) {
  return `The barrier waits for ${racers} transfers, and a browser can send ${RACERS_MAX} at once: set it to ${RACERS_MAX} or fewer ` +
    "to race from here.";
}

function showButtons(settings) {
  const racers = racersFor(settings);
  const tooMany = racers > RACERS_MAX;
  const busy = running !== null || state.get("racing");
  const words = racers === 2 ? "two" : racers === 3 ? "three" : racers === 4 ? "four" : String(racers);
  find("#race").textContent = `Race ${words} transfers`;
  find("#too-many").hidden = !tooMany;
  find("#too-many").textContent = tooManyWords(racers);
  for (const id of ["#race", "#race-fix", "#run"]) {
    setOff(find(id), tooMany || busy);
  }
  find("#stop").hidden = running === null;
}

function showSettings() {
  const settings = wantedSettings();
  if (!settings) {
    return;
  }
  setValue(inputs.strategy(), settings.strategy);
  inputs.delay().checked = settings.delay_enabled;
  setValue(inputs.delayMs(), settings.delay_ms);
  inputs.barrier().checked = settings.barrier_enabled;
  setValue(inputs.barrierCount(), settings.barrier_count);
  sayStrategy({ strategies: state.get("strategies"), settings });
  showButtons(settings);
}

// An event that arrives between the question and its answer may be newer than the answer. Then the settings are read
// again.
async function answered(change) {
  let before = state.get("settings");
  let settings = await api.setSettings(change);
  while (state.get("settings") !== before) {
    before = state.get("settings");
    settings = await api.settings();
  }
  return settings;
}

// Sends a change of settings after the changes before it. The switches show the server's settings in the end, also
// after an error. The caller shows the error.
export function changeSettings(change) {
  wanted.push(change);
  const done = changes.then(async () => {
    try {
      state.set({ settings: await answered(change) });
    } finally {
      wanted.splice(wanted.indexOf(change), 1);
      showSettings();
    }
  });
  changes = done.catch(() => {});
  showSettings();
  return done;
}

function change(settings) {
  clearProblem();
  attempt(() => changeSettings(settings));
}

function number(input, fallback) {
  return input.value === "" ? fallback : input.valueAsNumber;
}

function startSwitches() {
  const delay = () => change({ delay_enabled: inputs.delay().checked, delay_ms: number(inputs.delayMs(), 100) });
  const barrier = () => change({ barrier_enabled: inputs.barrier().checked, barrier_count: number(inputs.barrierCount(), 2) });
  inputs.strategy().addEventListener("change", () => change({ strategy: inputs.strategy().value }));
  inputs.delay().addEventListener("change", delay);
  inputs.delayMs().addEventListener("change", delay);
  inputs.barrier().addEventListener("change", barrier);
  inputs.barrierCount().addEventListener("change", barrier);
}

// Buttons

// Only one action runs at a time: the buttons are off until it has ended.
export async function busy(work) {
  clearProblem();
  beforeRace();
  state.set({ racing: true });
  await changes;
  const result = await attempt(work);
  state.set({ racing: false });
  return result;
}

function outcome(records) {
  const done = records.filter(({ status }) => status === "success").length;
  const worst = ["double_spend", "lost_update", "stale_read"].find((kind) => records.some(({ anomaly }) => anomaly === kind));
  say(`${VERDICTS[worst ?? "clean"]}: ${done} of ${records.length} succeeded.`);
}

// The number of transfers that race now. Without events the settings may be unknown: then they are read.
async function racersNow() {
  if (!state.get("settings")) {
    state.set({ settings: await api.settings() });
  }
  const racers = racersFor(state.get("settings"));
  if (racers > RACERS_MAX) {
    throw new Error(tooManyWords(racers)); // the barrier count was changed after the buttons were drawn
  }
  return racers;
}

async function raceOnce(strategy = null) {
  const records = await busy(() => race({ racers: racersNow, strategy, resetFirst: find("#reset-first").checked }));
  if (records) {
    outcome(records);
  }
}

function showProgress(rounds, tally) {
  const progress = find("#progress");
  progress.hidden = false;
  progress.max = rounds;
  progress.value = tally.rounds;
  find("#tally").textContent = `${tally.rounds} of ${count(rounds, "round")}: ${tally.raced} raced, ` +
    `${count(tally.doubleSpends, "double spend")}${tally.lostUpdates > 0 ? `, ${count(tally.lostUpdates, "lost update")}` : ""}`;
}

async function runMany() {
  const rounds = Math.min(10000, Math.max(1, Math.floor(number(find("#rounds"), 20))));
  running = new AbortController();
  const { signal } = running;
  showProgress(rounds, tallyOf([]));
  let run = null; // begins with its first round: a refused one leaves the picture of the last run
  const isDone = await busy(async () => {
    await raceMany({
      rounds, racers: racersNow, resetFirst: find("#reset-first").checked, signal,
      onRound: (records) => {
        run ??= beginRun(records[0].strategy);
        addRound(run, records);
        showProgress(rounds, tallyOf(run.rounds));
      },
    });
    return true;
  });
  running = null;
  if (document.activeElement === find("#stop")) {
    find("#run").focus(); // the button that is hidden now would lose the focus
  }
  showSettings();
  if (isDone) {
    say(find("#tally").textContent);
  }
}

function startButtons() {
  onPress("#race", () => raceOnce());
  onPress("#race-fix", () => raceOnce(inputs.fix().value));
  onPress("#run", runMany);
  find("#stop").addEventListener("click", () => running?.abort());
  find("#reset").addEventListener("click", async () => {
    clearProblem();
    if (await attempt(() => api.reset())) {
      say("Reset: the balances are at their initial values.");
    }
  });
  find("#count-anew").addEventListener("click", async () => {
    clearProblem();
    if (await attempt(() => api.resetTotals())) {
      say("Reset: the balances are at their initial values, and the totals begin again.");
    }
  });
}

// onSay(text) announces the text to screen readers. onRace() is called before a race starts on this page.
export function startControls(theState, { onSay, onRace }) {
  state = theState;
  say = onSay;
  beforeRace = onRace;
  state.on(["strategies"], showStrategies);
  state.on(["settings", "strategies", "racing"], showSettings);
  startSwitches();
  startButtons();
}
