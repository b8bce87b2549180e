// What went wrong, in the server's own words, where nobody overlooks it; and running what may go wrong.

import { find } from "./dom.js";

export function showProblem(problem) {
  const box = find("#problem");
  const title = problem.title ? `${problem.title}${problem.status ? ` (${problem.status})` : ""}: ` : "";
  find("#problem-text").textContent = `${title}${problem.detail || problem.message}`;
  box.hidden = false;
}

export function clearProblem() {
  find("#problem").hidden = true;
}

// Runs it; a problem is shown and gives undefined.
export async function attempt(work) {
  try {
    return await work();
  } catch (problem) {
    showProblem(problem);
    return undefined;
  }
}

export function startProblems() {
  find("#problem-close").addEventListener("click", clearProblem);
}
