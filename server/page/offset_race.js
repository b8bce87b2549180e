// Races two transfers that start a given time apart: from the initial balances, and without barrier and delay, which
// would hide the difference.

import { ApiProblem, api } from "./api.js";
import { changeSettings } from "./controls.js";
import { microseconds } from "./race_model.js";

const AMOUNT = 800;
const WORST_FIRST = ["double_spend", "lost_update", "stale_read"];

let worker = null;
let found = null; // the settings to restore, or null

function sendApart(bodies, gap) {
  worker ??= new Worker("/page/offset_worker.js");
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = () => reject(new ApiProblem(0, "No race", "The browser could not start the thread that sends the transfers."));
    worker.postMessage({ gap, bodies });
  });
}

// The transfer to charlie starts `wanted` ms after the one to bob; before it, if the number is negative. Returns
// {wanted, ms, verdict}: ms is the time between their arrivals at the server.
export async function raceApart(wanted) {
  await api.reset();
  const bodies = ["bob", "charlie"].map((to) => ({ from_account: "alice", to_account: to, amount: AMOUNT }));
  const answers = await sendApart(wanted < 0 ? bodies.reverse() : bodies, Math.abs(wanted));
  const failed = answers.find(({ status }) => status !== 200);
  if (failed) {
    throw new ApiProblem(failed.status, failed.body.title ?? "Error", failed.body.detail);
  }
  const records = answers.map(({ body }) => body);
  const [bob, charlie] = ["bob", "charlie"].map((to) => microseconds(records.find((record) => record.to_account === to).timestamp));
  return {
    wanted, ms: (charlie - bob) / 1000,
    verdict: WORST_FIRST.find((kind) => records.some(({ anomaly }) => anomaly === kind)) ?? "clean",
  };
}

// Turns barrier and delay off. keep: leaves them as they are.
export async function prepareSettings(keep) {
  const now = await api.settings();
  if (keep && now.barrier_enabled && now.barrier_count !== 2) {
    throw new Error(`The barrier waits for ${now.barrier_count} transfers, and two are sent here: set it to 2, or race without it.`);
  }
  const on = keep ? [] : ["barrier_enabled", "delay_enabled"].filter((name) => now[name]);
  if (on.length > 0) {
    found = Object.fromEntries(on.map((name) => [name, true]));
    await changeSettings(Object.fromEntries(on.map((name) => [name, false])));
  }
}

export async function restoreSettings() {
  const settings = found;
  found = null;
  if (settings) {
    await changeSettings(settings);
  }
}

export function restoreOnLeaving() {
  addEventListener("pagehide", () => {
    if (found) {
      api.setSettingsAtTheEnd(found);
      found = null;
    }
  });
}
