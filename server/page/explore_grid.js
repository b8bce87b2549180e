// The grid of all orders of a case: a cell per order, in the colour of its verdict. The arrow keys move through it.

import { find, make } from "./dom.js";
import { CELL_WORDS, cellKind, lettersOf } from "./explore_orders.js";
import { count, outcomeName } from "./explore_words.js";

let gridCells = [];
let chooseCell = () => {};

function focusCell(index, moves) {
  gridCells.forEach((cell, number) => {
    cell.tabIndex = number === index ? 0 : -1;
    cell.setAttribute("aria-pressed", String(number === index));
  });
  if (moves) {
    gridCells[index].focus({ preventScroll: true });
    gridCells[index].scrollIntoView({ block: "nearest" });
  }
}

// The number of cells in a row of the grid, as the browser has laid it out.
function perRow() {
  const top = gridCells[0].offsetTop;
  const next = gridCells.findIndex((cell) => cell.offsetTop !== top);
  return next === -1 ? gridCells.length : next;
}

function onGridKey(event) {
  const at = gridCells.indexOf(event.target);
  const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey;
  const to = {
    ArrowRight: at + 1, ArrowLeft: at - 1, ArrowDown: at + perRow(), ArrowUp: at - perRow(), Home: 0, End: gridCells.length - 1,
  }[event.key];
  if (at === -1 || !isPlain || to === undefined) {
    return;
  }
  event.preventDefault();
  event.stopPropagation(); // the same keys step through the order elsewhere on the page
  if (to >= 0 && to < gridCells.length) {
    focusCell(to, true);
    chooseCell(to, false);
  }
}

function cellElement(order, outcome, pool, index) {
  const kind = cellKind(order, outcome, pool);
  const [sign, words] = CELL_WORDS[kind];
  const letters = lettersOf(order, pool);
  const name = kind === "bad" ? outcomeName(outcome) : words;
  const cell = make("button", {
    type: "button", class: `cell ${kind}`, "aria-pressed": "false", tabindex: "-1", title: `${letters}: ${name}`,
    "aria-label": `Order ${index + 1}, ${letters.split("").join(" ")}: ${name}`,
  }, sign);
  cell.addEventListener("click", () => {
    focusCell(index, true);
    chooseCell(index, true);
  });
  return cell;
}

function gridLegend(kinds) {
  return Object.entries(CELL_WORDS).filter(([kind]) => kinds.has(kind)).map(([kind, [sign, words]]) =>
    make("li", {}, make("span", { class: `cell ${kind}`, "aria-hidden": "true" }, sign), ` ${words}`));
}

// Draws the cells of a case. choose(index, opens) is called for the chosen order; opens: it was pressed.
export function drawGrid(grid, exploration, pool, choose) {
  chooseCell = choose;
  gridCells = grid.orders.map((order, index) => cellElement(order, exploration.outcomes[order.outcome], pool, index));
  const bad = grid.orders.filter((order) => exploration.outcomes[order.outcome].kind !== "serial").length;
  find("#grid-share").className = bad > 0 ? "bad" : "";
  find("#grid-share").replaceChildren(make("strong", {}, `${bad} of ${grid.orders.length}`),
    ` ${grid.orders.length === 1 ? "order goes" : "orders go"} wrong`);
  find("#grid-cells").replaceChildren(...gridCells);
  find("#grid-legend").replaceChildren(...gridLegend(new Set(grid.orders.map((order) =>
    cellKind(order, exploration.outcomes[order.outcome], pool)))));
  find("#grid-case").textContent = grid.made ? `${count(grid.text.split("\n").length, "line")}, made from another case` : grid.file;
  find("#grid-text").textContent = grid.text;
}

export function showCell(index) {
  focusCell(index, false);
}

export function startGrid() {
  find("#grid-cells").addEventListener("keydown", onGridKey);
}
