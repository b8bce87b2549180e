// The matrix of the lab's strategies and the anomalies: each cell leads to every order of the case that proves it.

import { find, make } from "./dom.js";

function proofLink(cell) {
  return cell.case
    ? make("a", { href: `/explore?case=${encodeURIComponent(cell.case)}`, "data-case": cell.case }, cell.words)
    : make("span", {}, cell.words, ": ", make("code", {}, cell.rests_on));
}

function matrixCell(cell) {
  return make("td", { class: cell.ends ? "ends" : "ends-not" },
    make("b", {}, cell.ends ? "\u2713 ends" : "\u2715 does not end"), make("br"), proofLink(cell));
}

// matrix: the content of matrix.json. open(case) shows every order of a case.
export function drawMatrix({ columns, rows }, open) {
  find("#matrix-columns").replaceChildren(...columns.flatMap(({ title, text }) =>
    [make("dt", {}, title), make("dd", {}, text)]));
  find("#matrix-head").replaceChildren(make("th", { scope: "col" }, "strategy"),
    ...columns.map(({ title }) => make("th", { scope: "col" }, title)));
  find("#matrix-rows").replaceChildren(...rows.map(({ strategy, cells }) =>
    make("tr", {}, make("th", { scope: "row" }, make("code", {}, strategy)), ...cells.map((cell, index) => {
      const made = matrixCell(cell);
      made.dataset.column = columns[index].title; // a narrow screen shows it before the cell
      return made;
    }))));
  find("#matrix").hidden = false;
  find("#matrix-rows").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (link && isPlain) {
      event.preventDefault();
      open(link.dataset.case);
    }
  });
}
