// The last races and the running totals, from GET /races.

import { find, make, unbroken } from "./dom.js";
import { VERDICTS, count, money } from "./words.js";

const traceLinks = new Map(); // by race id: the trace links of its detail

export function raceLink(ids) {
  return `/?race=${ids.map(encodeURIComponent).join(",")}`;
}

export function clockTime(at) {
  return new Date(at).toLocaleTimeString("en-GB");
}

function item(race, open) {
  const good = race.verdict === "clean";
  const link = make("a", { href: raceLink(race.transfer_ids), "data-race": race.id },
    make("time", { datetime: race.at }, clockTime(race.at)), " ",
    make("span", { class: `verdict ${good ? "good" : "bad"}` },
      make("span", { "aria-hidden": "true" }, good ? "\u2713 " : "\u2715 "), VERDICTS[race.verdict]), " ",
    ...unbroken(`${race.transfer_count} from ${race.account}, lowest ${money(race.lowest_balance)}, `),
    make("code", {}, race.strategies.join(", ")));
  link.addEventListener("click", (event) => {
    if (event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      open(race.transfer_ids);
    }
  });
  const traces = (traceLinks.get(race.id) ?? []).map((url, index) =>
    make("a", { href: url, class: "trace", rel: "noopener" }, `trace ${String.fromCharCode(65 + index)}`));
  return make("li", {}, link, ...traces.flatMap((trace) => [" ", trace]));
}

export function showHistory(races, open) {
  find("#history").replaceChildren(...races.map((race) => item(race, open)));
  find("#history-empty").hidden = races.length > 0;
}

// The time alone if it is of today.
function since(at) {
  const today = new Date(at).toDateString() === new Date().toDateString();
  return `Since ${today ? "" : `${new Date(at).toLocaleDateString("en-GB")}, `}${clockTime(at).slice(0, 5)}:`;
}

export function showTotals(totals) {
  find("#totals-since").textContent = totals.since ? since(totals.since) : "Since this database was made:";
  const drift = totals.money_drift;
  const parts = [
    ["transfers", count(totals.transfers, "transfer"), false],
    ["raced", count(totals.raced_transfers, "raced transfer"), false],
    ["double-spends", count(totals.double_spends, "double spend"), totals.double_spends > 0],
    ["lost-updates", count(totals.lost_updates, "lost update"), totals.lost_updates > 0],
    ["drift", `${money(Math.abs(drift))} ${drift > 0 ? "created" : drift < 0 ? "lost" : "created or lost"}`, drift !== 0],
  ];
  find("#totals").replaceChildren(...parts.map(([name, text, bad]) => {
    const [number, ...words] = text.split(" ");
    return make("li", { class: bad ? "bad" : "", "data-total": name }, make("strong", {}, number), ` ${words.join(" ")}`);
  }));
}

// Adds the trace links to the listed races if the server has links. It asks for one race at a time, and for each race
// once.
export async function findTraces(races, detailOf) {
  const listed = new Set(races.map(({ id }) => id));
  for (const id of traceLinks.keys()) {
    if (!listed.has(id)) {
      traceLinks.delete(id);
    }
  }
  for (const { id } of races) {
    const detail = traceLinks.has(id) ? null : await detailOf(id);
    if (detail) { // null: under load a race may be too old by now, and has no links any more
      const urls = detail.transfers.map(({ trace_url: url }) => url).filter(Boolean);
      traceLinks.set(id, urls);
      if (urls.length === 0) {
        return false;
      }
    }
  }
  return true;
}
