// Draws the rows of tables: of the order that is shown, and of each serial order beside it.

import { make } from "./dom.js";
import { isOnlyHere, readOrder } from "./explore_order.js";
import { answersText, count, sessionsText, valueText } from "./explore_words.js";

const ROWS_DRAWN = 40;
const SERIAL_DRAWN = 24; // six sessions have 720 serial orders

function rowElement(table, row, serial) {
  const marked = isOnlyHere(table, row, serial);
  return make("tr", { class: marked ? "only-here" : null },
    ...row.map((value, index) => make("td", {}, make("span", { class: value === null ? "null" : null },
      `${marked && index === 0 ? "* " : ""}${valueText(value)}`))));
}

function tableElement(table, serial) {
  const rest = table.rows.length - ROWS_DRAWN;
  const name = make("caption", {}, table.table);
  if (table.rows.length === 0) {
    return make("table", {}, name, make("tbody", {}, make("tr", {}, make("td", { class: "note" }, "no rows"))));
  }
  return make("table", {}, name,
    make("thead", {}, make("tr", {}, ...table.columns.map((column) => make("th", { scope: "col" }, column)))),
    make("tbody", {}, ...table.rows.slice(0, ROWS_DRAWN).map((row) => rowElement(table, row, serial)),
      rest > 0 ? make("tr", {}, make("td", { colspan: String(table.columns.length) }, `and ${rest} more`)) : null));
}

// tables: null if they are not known. serial: the rows that none of these outcomes has are marked.
export function drawTables(box, tables, serial) {
  box.replaceChildren(...(tables === null ? [make("p", { class: "note" }, "The rows are not known here: there are too many, or a table was locked.")]
    : tables.length === 0 ? [make("p", { class: "note" }, "There are no tables.")]
      : tables.map((table) => tableElement(table, serial))));
}

// The answers of a serial order that differ from those of the order that is shown.
function differences(serial, order) {
  const here = new Map(order.steps.map((step) => [step.name, answersText(step)]));
  return readOrder(serial, order.sessions).steps
    .map((step) => ({ name: step.name, there: answersText(step), here: here.get(step.name) }))
    .filter(({ there, here: own }) => own !== undefined && own !== there);
}

export function drawSerial(box, serials, order) {
  const rest = serials.length - SERIAL_DRAWN;
  box.replaceChildren(...serials.slice(0, SERIAL_DRAWN).map((serial) => {
    const rows = make("div", { class: "tables" });
    drawTables(rows, serial.state, []);
    const answers = differences(serial, order);
    return make("article", { class: "panel" }, make("h3", {}, sessionsText(serial.steps)), rows,
      answers.length === 0 ? null : make("p", { class: "note" }, "Answers that differ:"),
      answers.length === 0 ? null : make("ul", { class: "answers" }, ...answers.map(({ name, there, here }) =>
        make("li", {}, make("code", {}, name), ` ${there || "no answer"} `, make("span", { class: "note" }, `(in this order: ${here || "no answer"})`)))));
  }), ...(rest > 0 ? [make("p", { class: "note" }, `${count(rest, "more serial outcome")} not drawn.`)] : []));
}
