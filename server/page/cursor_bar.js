// The controls below a picture: play, step, a slider over the events, the event in words, and the balances then.

import { make, unbroken } from "./dom.js";
import { balancesAt, stopAt, stopWords } from "./cursor_stops.js";
import { money } from "./words.js";

const NAMES = { race: "Time in the race", fix: "Time in the race under the fix" };
const HINT = "Drag over the picture, or step with the arrow keys, to see any moment.";

export function makeBar(slot) {
  const bar = {
    play: make("button", { type: "button", class: "replay" }),
    before: make("button", { type: "button", class: "quiet", "aria-label": "Previous event" }, "\u2039"),
    range: make("input", { type: "range", min: "0", max: "1", step: "1", value: "1", "aria-label": NAMES[slot] }),
    next: make("button", { type: "button", class: "quiet", "aria-label": "Next event" }, "\u203a"),
    moment: make("p", { class: "moment" }),
    then: make("p", { class: "then" }),
    now: make("button", { type: "button", class: "quiet now" }, "Back to now"),
  };
  bar.box = make("div", { class: "scrub", role: "group", "aria-label": NAMES[slot], hidden: true },
    bar.play, make("span", { class: "steps" }, bar.before, bar.range, bar.next),
    make("div", { class: "reading" }, bar.moment, bar.then), bar.now);
  return bar;
}

function setText(element, text) {
  if (element.textContent !== text) {
    element.replaceChildren(...unbroken(text));
  }
}

// scene: null without a race that can be played. ms: null at rest.
export function showBar(bar, scene, ms, playing) {
  bar.box.hidden = !scene;
  if (!scene) {
    return;
  }
  const { stops, race, balances } = scene;
  const stop = ms === null ? stops.length - 1 : stopAt(stops, ms);
  bar.box.classList.toggle("active", ms !== null);
  setText(bar.play, playing ? "Pause" : "Play");
  bar.play.classList.toggle("playing", playing);
  bar.range.max = String(stops.length - 1);
  bar.range.value = String(stop);
  bar.range.setAttribute("aria-valuetext", ms === null ? "Now: after the race" : stopWords(stops[stop], ms));
  setText(bar.moment, ms === null ? HINT : stopWords(stops[stop], ms));
  setText(bar.then, ms === null ? "" : balancesAt(race, balances, ms).map(({ id, balance }) => `${id} ${money(balance)}`).join(", "));
  bar.now.hidden = ms === null;
}
