// The lab's own cases on the explorer's page: the matrix, and every order of each of its cells. Only the bank serves
// them; a page that race-explore has written has its own document.

import { drawMatrix } from "./explore_matrix.js";
import { documentOf, lettersOf } from "./explore_orders.js";

let labOrders = null; // the content of orders.json
let labDocument = null; // the same as a document of race-explore

async function readLabFile(name) {
  const answer = await fetch(`/page/${name}`);
  if (!answer.ok) {
    throw new Error(`the server answers ${answer.status}`);
  }
  return answer.json();
}

// Returns {found, explored} for a case of the lab; explored is null if there is no such case.
export async function labCase(id) {
  if (labOrders === null) {
    labOrders = await readLabFile("orders.json");
    labDocument = documentOf(labOrders);
  }
  return { found: labDocument, explored: labDocument.cases.find(({ name }) => name === id) ?? null };
}

// The grid of a case that labCase() has returned, or null: it is another case, or has too many orders. {grid, pool}
export function gridOf(explored) {
  const grid = labDocument === null ? undefined : labOrders.cases[labDocument.cases.indexOf(explored)];
  return grid === undefined || grid.orders.length === 0 ? null : { grid, pool: labOrders.pool };
}

// The number of the order with these letters, or -1.
export function orderNumber({ grid, pool }, letters) {
  return grid.orders.findIndex((order) => lettersOf(order, pool) === letters);
}

export async function showMatrix(open) {
  drawMatrix(await readLabFile("matrix.json"), open);
}
