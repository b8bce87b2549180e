// The steps of a race as a table: it says in words what the picture shows.

import { make, unbroken } from "./dom.js";

export function wordsTable(race, title) {
  const letters = new Map(race.lanes.map((lane) => [lane.letter, lane]));
  const rows = race.rows.map((row) => {
    const lane = letters.get(row.letter);
    const made = make("tr", { class: `tone-${row.tone}` },
      make("td", { class: "ms" }, ((row.us - race.startUs) / 1000).toFixed(1)),
      make("td", { class: "who" }, make("abbr", { title: `$${lane.amount} ${lane.from} to ${lane.to}` }, row.letter)),
      make("td", {}, ...unbroken(row.text)));
    made.dataset.ms = String((row.us - race.startUs) / 1000);
    return made;
  });
  return make("table", {},
    make("caption", {}, title),
    make("thead", {}, make("tr", {},
      make("th", { scope: "col", class: "ms" }, "ms"), make("th", { scope: "col" }, "who"), make("th", { scope: "col" }, "step"))),
    make("tbody", {}, ...rows));
}
