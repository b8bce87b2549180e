// The start of the page: connects the server's answers and events with the parts of the page, and decides which race
// stands in the panels.

import { api, whenTokenIsWanted } from "./api.js";
import { settled, turns } from "./asking.js";
import { showBalances } from "./balances.js";
import { showConnection } from "./connection.js";
import { startControls } from "./controls.js";
import { closeCursor } from "./cursor.js";
import { find } from "./dom.js";
import { openEvents } from "./events.js";
import { findTraces, raceLink, showHistory, showTotals } from "./history.js";
import { LiveRaces } from "./live_races.js";
import { attempt, clearNoAnswer, startProblems } from "./problem.js";
import { isPresenting, startPresentation } from "./presentation.js";
import { startOffsets } from "./offsets.js";
import { raceModel } from "./race_model.js";
import { SLOTS, beganUs, redraw, serverTime, showRace, shownRace, startRacePanels } from "./race_panels.js";
import { rememberStrategies } from "./race_why.js";
import { runsOfPage, startRounds, takeEndedRace } from "./rounds.js";
import { createState } from "./state.js";
import { startThemeSwitch } from "./theme_switch.js";
import { askForToken, startToken } from "./token.js";
import { closeTour, openAddressedTour, refreshTour, startTour } from "./tour.js";
import { LINK_LIFE, count } from "./words.js";

const RACES_ASKED_FOR = 30; // enough races that usually one of each kind is among them
const TRACED_RACES = 12;

// Under load there are events all the time. The page asks only as often as a person can read the changes.
const ACCOUNTS_PAUSE_MS = 500;
const RACES_PAUSE_MS = 1000;
const RESOLVE_PAUSE_MS = 400;

const state = createState({
  accounts: [], expected: null, strategies: [], settings: null, races: [], totals: null, racing: false,
  moment: null, // {ms, balances} at the time cursor; null: the balances are those of now
});
const live = new LiveRaces();
const nextQuestion = turns(); // a question about the race on the stage: from the address, or from "Show the newest"
const nextList = turns();
let pinned = false; // the stage shows the race of the address and ignores newer races
let tracing = true; // false after a race without a trace link was seen
let resets = 0; // number of reset events so far
const skipped = { transfers: 0, races: 0 };

function say(text) {
  find("#said").textContent = text;
}

// The state of the server

// The answer to a question from before a reset event may show the balances from before the reset. The event is newer,
// so it wins.
async function readAccounts() {
  const before = resets;
  const accounts = await api.accounts();
  if (resets === before) {
    state.set({ accounts });
  }
}

async function readRaces() {
  const isNewest = nextList();
  const { races, totals } = await api.races(RACES_ASKED_FOR);
  if (isNewest()) {
    state.set({ races, totals });
    refreshTraces();
  }
  return races;
}

async function readTraces() {
  const races = state.get("races").slice(0, TRACED_RACES);
  if (tracing && races.length > 0) {
    tracing = await findTraces(races, api.race);
    listRaces();
  }
}

function listRaces() {
  showHistory(state.get("races"), openRaces, runsOfPage);
}

const refreshList = settled(RACES_PAUSE_MS, () => attempt(async () => listRaces()));
const refreshAccounts = settled(ACCOUNTS_PAUSE_MS, () => attempt(readAccounts));
const refreshRaces = settled(RACES_PAUSE_MS, () => attempt(readRaces));
const refreshTraces = settled(RACES_PAUSE_MS, () => attempt(readTraces));

// The race on each part of the stage

function modelOf(detail) {
  return raceModel(detail, state.get("strategies"));
}

function isSafe(race) {
  const strategies = state.get("strategies");
  return race.strategies.every((name) => strategies.find((strategy) => strategy.name === name)?.safe);
}

function slotOf(race) {
  return isSafe(race) ? "fix" : "race";
}

function clearStage() {
  SLOTS.forEach((slot) => showRace(slot, null));
}

function takesPartIn(race, { id }) {
  return race.lanes.some((lane) => lane.id === id);
}

// Shows the newest race that went wrong, or could have, and the newest race under a fix. Events that arrived since are
// newer than the list.
async function showNewest(isWanted) {
  const races = await readRaces();
  for (const safe of [false, true]) {
    const newest = races.find((race) => isSafe(race) === safe);
    const found = newest ? await api.race(newest.id) : null;
    if (!isWanted()) {
      return;
    }
    const race = found && modelOf(found);
    const shown = race && shownRace(slotOf(race));
    if (race && (!shown || beganUs(shown) <= beganUs(race) || takesPartIn(race, shown.lanes[0]))) {
      showRace(slotOf(race), race);
    }
  }
}

async function showIds(ids, isWanted) {
  const seen = new Set();
  for (const id of ids) {
    const found = seen.has(id) ? null : await api.race(id);
    if (!isWanted()) {
      return;
    }
    if (found) {
      const race = modelOf(found);
      showRace(slotOf(race), race);
      race.lanes.forEach((lane) => seen.add(lane.id));
    }
  }
  if (seen.size === 0) {
    find("#pinned-text").textContent = `No race of the transfer "${ids[0]}" is among the newest 1,000 records: it is too old ` +
      "to be drawn, or there never was one. ";
  }
}

function idsInAddress() {
  const ids = new URLSearchParams(location.search).get("race") ?? "";
  return ids.split(",").filter(Boolean).slice(0, 24);
}

function setPinned(now) {
  pinned = now;
  find("#pinned").hidden = !pinned;
  find("#pinned-text").textContent = `You are looking at one saved race. New races do not replace it. ${LINK_LIFE} `;
  find("#newer").hidden = true;
}

// Fills the panels with the result of `read`. The result, or the problem, counts only until the next question.
async function fillStage(read) {
  const isWanted = nextQuestion();
  await attempt(async () => {
    try {
      await read(isWanted);
    } catch (problem) {
      if (isWanted()) {
        throw problem;
      }
    }
  });
}

async function showAddressed() {
  const ids = idsInAddress();
  if (pinned || ids.length > 0) {
    clearStage();
  }
  setPinned(ids.length > 0);
  await fillStage((isWanted) => pinned ? showIds(ids, isWanted) : showNewest(isWanted));
}

function openRaces(ids) {
  history.pushState(null, "", `${raceLink(ids)}${isPresenting() ? "&present" : ""}${location.hash}`);
  showAddressed();
  find("#timelines").scrollIntoView({ block: "start" });
}

// A race that is started here must be shown: a pending answer about the address is ignored.
function unpin() {
  if (pinned) {
    nextQuestion();
    setPinned(false);
    history.pushState(null, "", `/${isPresenting() ? "?present" : ""}${location.hash}`);
  }
}

// A tour begins with empty panels: an older race would look like its result.
function emptyPanels() {
  unpin();
  nextQuestion();
  clearStage();
}

// Live events

const changed = new Map(); // by slot: the group to show with the next frame
const ended = new Map(); // by slot: the group to ask the server about
const resolved = new WeakSet();

// Only the server knows which writes a transfer missed and which transfer blocked it. So the page asks for a race once
// after its end.
async function resolve(group) {
  const found = await api.race(group.transfers[0].id);
  const isShown = (race) => race !== null && group.transfers.some(({ id }) => id === race.lanes[0].id);
  const slot = SLOTS.find((each) => isShown(shownRace(each)));
  if (pinned || !slot) {
    return;
  }
  if (!found) {
    showRace(slot, { ...shownRace(slot), gone: !shownRace(slot).judged });
    return;
  }
  const race = modelOf(found);
  if (slotOf(race) !== slot) {
    showRace(slot, null);
  }
  showRace(slotOf(race), race);
}

const resolveEnded = settled(RESOLVE_PAUSE_MS, () => attempt(async () => {
  const groups = [...ended.values()];
  ended.clear();
  await Promise.all(groups.map(resolve));
}));

// The first button races under the selected strategy. If that strategy is safe, its picture stands under the fix, and
// an older race above it would look like the result of the press. So the older race is removed.
function clearSuperseded(group) {
  const selected = state.get("settings")?.strategy;
  const shown = shownRace("fix");
  const isNew = !shown || !group.transfers.some((transfer) => takesPartIn(shown, transfer));
  if (isNew && group.transfers.every(({ strategy }) => strategy === selected)) {
    showRace("race", null);
  }
}

function showChanged() {
  if (pinned) { // the page was pinned after the event had arrived
    changed.clear();
    find("#newer").hidden = false;
  }
  for (const [slot, group] of changed) {
    if (slot === "fix") {
      clearSuperseded(group);
    }
    showRace(slot, modelOf({ transfers: group.transfers }));
    if (group.finished && !resolved.has(group) && group.transfers.every(({ error }) => !error)) {
      resolved.add(group);
      ended.set(slot, group);
      resolveEnded();
    }
  }
  changed.clear();
}

function takeRace(group) {
  if (pinned) {
    find("#newer").hidden = false;
    return;
  }
  const slot = slotOf({ strategies: [...new Set(group.transfers.map(({ strategy }) => strategy))] });
  if (changed.size === 0) {
    requestAnimationFrame(showChanged);
  }
  changed.set(slot, group);
}

// A balance that a step has written is shown at once; a moment later the page reads the balance from the database.
function takeWrite({ step, account, value }) {
  if (step === "deduct" || step === "credit") {
    state.set({ accounts: state.get("accounts").map((each) => each.id === account ? { id: account, balance: value } : each) });
  }
}

function showSkipped() {
  const raced = skipped.races > 0 ? `, ${count(skipped.races, "of them", "of them")} raced` : "";
  find("#skipped").textContent =
    `${count(skipped.transfers, "transfer was", "transfers were")} too fast to draw${raced}.`;
}

const HANDLERS = {
  hello: ({ settings }) => state.set({ settings }),
  settings: (settings) => state.set({ settings }),
  reset: ({ accounts }) => {
    resets += 1;
    closeCursor();
    state.set({ accounts, expected: accounts.reduce((sum, { balance }) => sum + balance, 0) });
    refreshRaces();
  },
  admitted: ({ at_us }) => serverTime(at_us),
  step: takeWrite,
  transfer: () => {
    refreshAccounts();
    refreshRaces();
  },
  skipped: ({ transfers, races }) => {
    skipped.transfers += transfers;
    skipped.races += races;
    showSkipped();
    refreshAccounts();
    refreshRaces();
  },
};

function onEvent(name, data) {
  HANDLERS[name]?.(data);
  const group = live.take(name, data);
  if (group?.finished) {
    takeEndedRace(group);
  }
  if (group) {
    takeRace(group);
  }
}

async function readEverything() {
  const [strategies, audit] = await Promise.all([api.strategies(), api.audit(), readAccounts()]);
  state.set({ expected: audit.money.expected });
  rememberStrategies(strategies);
  state.set({ strategies });
  await showAddressed();
  return true;
}

// The first reading may be older than the stream. After a gap anything may have changed, and no event reports the end
// of the races that were running.
async function freshen(reading) {
  live.clear();
  SLOTS.filter((slot) => shownRace(slot)?.finished === false).forEach((slot) => showRace(slot, null));
  if (await reading) {
    refreshAccounts();
    refreshRaces();
  } else {
    await attempt(readEverything);
  }
}

// On paper nothing can be pressed, so the addresses of the races are written out.
function writeAddress() {
  const races = SLOTS.map(shownRace).filter(Boolean);
  const ids = races.flatMap((race) => race.lanes.map(({ id }) => id));
  find("#on-paper").textContent = ids.length === 0 ? location.href
    : `${location.origin}${raceLink(ids)}, printed ${new Date().toLocaleString("en-GB")}`;
}

// Shows where the result of the first button will be drawn.
function showHint({ strategies, settings }) {
  const selected = strategies.find(({ name }) => name === settings?.strategy);
  find("#hint-safe").hidden = !selected?.safe;
  find("#hint-wrong").hidden = selected?.safe === true;
  find("#hint-strategy").textContent = selected?.name ?? "";
}

function start() {
  whenTokenIsWanted(askForToken);
  startProblems();
  startToken();
  startThemeSwitch();
  state.on(["accounts", "expected", "moment"], ({ accounts, expected, moment }) => showBalances(accounts, expected, moment));
  state.on(["races"], listRaces);
  state.on(["totals"], ({ totals }) => showTotals(totals));
  startControls(state, { onSay: say, onRace: unpin });
  state.on(["settings", "strategies"], showHint);
  startRacePanels(refreshTour, (moment) => state.set({ moment }));
  startOffsets(state);
  startRounds(openRaces, refreshList);
  startTour(state, emptyPanels);
  startPresentation(closeTour, redraw);
  window.addEventListener("beforeprint", writeAddress);
  find("#show-newest").addEventListener("click", () => {
    unpin();
    clearStage();
    fillStage(showNewest);
  });
  window.addEventListener("popstate", showAddressed);
  clearStage();
  showConnection("connecting");
  let reading = attempt(readEverything);
  reading.then(openAddressedTour);
  openEvents({
    onEvent,
    onConnection: (now) => {
      showConnection(now);
      if (now === "live" || now === "restarted") {
        clearNoAnswer();
      }
    },
    onFresh: () => {
      freshen(reading);
      reading = null;
    },
  });
}

start();
