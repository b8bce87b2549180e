// The SQL of a race beside its picture: a line for each step, what differs from the vulnerable strategy marked. A step
// that has the focus or the pointer marks its line, and a line marks its steps. While a race runs, the letter of each
// transfer stands at the line that it has reached.

import { make } from "./dom.js";
import { differences, placesOf, standing } from "./sketches.js";

const BASE = "vulnerable";

function pauseText(pauses) {
  return `the lab waits here: ${pauses.join(", ")}`;
}

function lineItems(each, parts, index) {
  const differs = parts.some(([, isOther]) => isOther);
  const code = make("code", {}, ...parts.map(([text, isOther]) => (isOther ? make("mark", {}, text) : text)));
  const line = make("li", { class: differs ? "sketch-line differs" : "sketch-line", "data-index": String(index), tabindex: index === 0 ? "0" : "-1" },
    make("span", { class: "at", "aria-hidden": "true" }), code);
  const pause = each.pauses.length === 0 ? [] : [make("li", { class: "sketch-pause", "data-index": String(index) },
    make("span", { class: "at", "aria-hidden": "true" }), pauseText(each.pauses))];
  return [...pause, line];
}

function sketchOf(strategy, base) {
  const isBase = strategy.name === BASE;
  const parts = isBase ? strategy.sketch.map(({ line }) => [[line, false]]) : differences(strategy.sketch, base?.sketch ?? []);
  const legend = isBase ? [] : [make("span", { class: "legend" }, "Marked: what differs from ", make("code", {}, BASE), ".")];
  return make("section", { class: "sketch", "data-strategy": strategy.name },
    make("h4", {}, make("code", {}, strategy.name), " in SQL ", ...legend),
    make("ol", { class: "sketch-lines", "aria-label": `The SQL of ${strategy.name}` },
      ...strategy.sketch.flatMap((each, index) => lineItems(each, parts[index], index))),
    make("p", { class: "watch-for" }, make("strong", {}, strategy.safe ? "Watch for: " : "Why it looks right: "), `${strategy.watch_for}.`));
}

// places: [{letter, index, pause}]
function showPlaces(section, places) {
  for (const item of section.querySelectorAll("li")) {
    const letters = places.filter(({ index, pause }) => String(index) === item.dataset.index &&
      pause === item.classList.contains("sketch-pause")).map(({ letter }) => letter);
    item.classList.toggle("here", letters.length > 0);
    item.querySelector(".at").textContent = [...new Set(letters)].sort().join("");
  }
}

// Returns the sketches of a race's strategies: {elements, mark, stepsOf, show}.
export function makeSketches(race, strategies) {
  const used = race.strategies.map((name) => strategies.find((each) => each.name === name)).filter((each) => each?.sketch);
  const base = strategies.find(({ name }) => name === BASE);
  const sections = new Map(used.map((strategy) => [strategy.name, sketchOf(strategy, base)]));
  let current = race;

  const placed = (strategy, places) => showPlaces(sections.get(strategy.name), places);
  const laneOf = (letter) => current.lanes.find((lane) => lane.letter === letter);

  // The transfers that still run stand at their lines.
  function show(now) {
    current = now;
    for (const strategy of used) {
      placed(strategy, current.lanes.filter((lane) => lane.outcome === "running" && lane.strategy === strategy.name)
        .flatMap((lane) => standing(strategy.sketch, lane).map((place) => ({ ...place, letter: lane.letter }))));
    }
  }

  // steps: [{letter, step}], or null to show where the transfers stand.
  function mark(steps) {
    if (steps === null) {
      show(current);
      return;
    }
    for (const strategy of used) {
      placed(strategy, steps.filter(({ letter }) => laneOf(letter)?.strategy === strategy.name)
        .flatMap(({ letter, step }) => (step === "begin"
          ? [{ index: strategy.sketch.findIndex(({ line }) => line.startsWith("BEGIN")), pause: false }]
          : placesOf(strategy.sketch, step)).map((place) => ({ ...place, letter }))));
    }
  }

  // The steps of a line: {strategy, steps}.
  function stepsOf(item) {
    const strategy = used.find(({ name }) => name === item.closest(".sketch").dataset.strategy);
    const { line, steps, pauses } = strategy.sketch[Number(item.dataset.index)];
    const own = item.classList.contains("sketch-pause") ? pauses : line.startsWith("BEGIN") ? [...steps, "begin"] : steps;
    return { strategy: strategy.name, steps: own };
  }

  show(race);
  return { elements: [...sections.values()], mark, stepsOf, show };
}
