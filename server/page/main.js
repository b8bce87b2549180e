// The page's start: binds what the server says to what is shown, and decides which race stands on the stage.

import { api, whenTokenIsWanted } from "./api.js";
import { showBalances } from "./balances.js";
import { showConnection } from "./connection.js";
import { startControls } from "./controls.js";
import { find } from "./dom.js";
import { openEvents } from "./events.js";
import { findTraces, raceLink, showHistory, showTotals } from "./history.js";
import { LiveRaces } from "./live_races.js";
import { attempt, startProblems } from "./problem.js";
import { raceModel } from "./race_model.js";
import { serverTime, showRace, shownRace, startStage } from "./stage.js";
import { createState } from "./state.js";
import { startThemeSwitch } from "./theme_switch.js";
import { askForToken, startToken } from "./token.js";
import { startTour } from "./tour.js";
import { count } from "./words.js";

const RACES_ASKED_FOR = 30; // enough to find one of each kind among them
const HISTORY_LENGTH = 12;

// Under load there is news all the time. The page asks for what has settled, and not more often than eyes can follow.
const SETTLE_MS = 150;
const ACCOUNTS_PAUSE_MS = 500;
const RACES_PAUSE_MS = 1000;
const RESOLVE_PAUSE_MS = 400;

const state = createState({
  accounts: [], strategies: [], settings: null, races: [], totals: null, racing: false,
});
const live = new LiveRaces();
let pinned = false; // the stage shows what the address says, whatever happens elsewhere
let tracing = true; // until a race without a trace link is seen
const skipped = { transfers: 0, races: 0 };

function say(text) {
  find("#said").textContent = text;
}

// Calls it soon, but not again within `pause` ms; what is asked for in between is done once, afterwards.
function settled(pause, call) {
  let timer = null;
  let last = -Infinity;
  return () => {
    timer ??= setTimeout(() => {
      last = performance.now();
      timer = null;
      attempt(call);
    }, Math.max(SETTLE_MS, last + pause - performance.now()));
  };
}

// What the server knows

const refreshAccounts = settled(ACCOUNTS_PAUSE_MS, async () => state.set({ accounts: await api.accounts() }));

async function readRaces() {
  const { races, totals } = await api.races(RACES_ASKED_FOR);
  state.set({ races, totals });
  if (tracing && races.length > 0) {
    tracing = await findTraces(races.slice(0, HISTORY_LENGTH), api.race);
    listRaces();
  }
}

function listRaces() {
  showHistory(state.get("races").slice(0, HISTORY_LENGTH), openRaces);
}

const refreshRaces = settled(RACES_PAUSE_MS, readRaces);

// Which race stands where

function isSafe(race) {
  const strategies = state.get("strategies");
  return race.strategies.every((name) => strategies.find((strategy) => strategy.name === name)?.safe);
}

function slotOf(race) {
  return isSafe(race) ? "fix" : "race";
}

async function showFromServer(id) {
  const race = raceModel(await api.race(id));
  showRace(slotOf(race), race);
  return race;
}

// The newest that went wrong, or could have, and the newest under a fix.
async function showNewest() {
  const races = state.get("races");
  for (const safe of [false, true]) {
    const newest = races.find((race) => isSafe(race) === safe);
    if (newest) {
      await showFromServer(newest.id);
    }
  }
}

async function showIds(ids) {
  showRace("race", null);
  showRace("fix", null);
  const seen = new Set();
  for (const id of ids) {
    if (!seen.has(id)) {
      const race = await showFromServer(id);
      race.lanes.forEach((lane) => seen.add(lane.id));
    }
  }
}

function idsInAddress() {
  const ids = new URLSearchParams(location.search).get("race") ?? "";
  return ids.split(",").filter(Boolean).slice(0, 24);
}

async function showAddressed() {
  const ids = idsInAddress();
  pinned = ids.length > 0;
  find("#pinned").hidden = !pinned;
  find("#newer").hidden = true;
  await attempt(() => pinned ? showIds(ids) : showNewest());
}

function openRaces(ids) {
  history.pushState(null, "", raceLink(ids));
  showAddressed();
  find("#stage").scrollIntoView({ block: "start" });
}

function unpin() {
  if (pinned) {
    pinned = false;
    find("#pinned").hidden = true;
    history.pushState(null, "", "/");
  }
}

// What happens now

const changed = new Map(); // by slot: the group to show with the next frame
const ended = new Map(); // by slot: the group to ask the server about
const resolved = new WeakSet();

// Only the server knows who missed what, and who waited for whom: a race that has ended is asked for once.
async function resolve(group) {
  const race = raceModel(await api.race(group.transfers[0].id));
  const shown = shownRace(slotOf(race));
  if (!pinned && shown && group.transfers.some(({ id }) => id === shown.lanes[0].id)) {
    showRace(slotOf(race), race);
  }
}

const resolveEnded = settled(RESOLVE_PAUSE_MS, async () => {
  const groups = [...ended.values()];
  ended.clear();
  await Promise.all(groups.map(resolve));
});

function showChanged() {
  for (const [slot, group] of changed) {
    showRace(slot, raceModel({ transfers: group.transfers }));
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

// A balance that a step has written is shown at once; the database has the last word a moment later.
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
  gap: () => live.clear(),
  reset: ({ accounts }) => {
    state.set({ accounts });
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
  if (group) {
    takeRace(group);
  }
}

async function readEverything() {
  const [accounts, strategies] = await Promise.all([api.accounts(), api.strategies()]);
  state.set({ accounts, strategies });
  await readRaces();
  await showAddressed();
  return true;
}

// What was read before the stream was there may have changed in between; after a gap anything may have.
async function freshen(reading) {
  if (await reading) {
    refreshAccounts();
    refreshRaces();
  } else {
    await attempt(readEverything);
  }
}

function start() {
  whenTokenIsWanted(askForToken);
  startProblems();
  startToken();
  startThemeSwitch();
  state.on(["accounts"], ({ accounts }) => showBalances(accounts));
  state.on(["races"], listRaces);
  state.on(["totals"], ({ totals }) => showTotals(totals));
  startControls(state, { onSay: say, onRace: unpin });
  startStage();
  startTour();
  find("#show-newest").addEventListener("click", () => {
    unpin();
    attempt(showNewest);
  });
  window.addEventListener("popstate", showAddressed);
  showRace("race", null);
  showRace("fix", null);
  showConnection("connecting");
  let reading = attempt(readEverything);
  openEvents({
    onEvent, onConnection: showConnection,
    onFresh: () => {
      freshen(reading);
      reading = null;
    },
  });
}

start();
