// What went wrong, in the server's own words, where nobody overlooks it; and running what may go wrong.

import { find } from "./dom.js";

let noAnswer = false; // the problem that is shown is that the server did not answer

export function showProblem(problem) {
  const box = find("#problem");
  const title = problem.title ? `${problem.title}${problem.status ? ` (${problem.status})` : ""}: ` : "";
  find("#problem-text").textContent = `${title}${problem.detail || problem.message}`;
  box.hidden = false;
  noAnswer = problem.status === 0;
}

export function clearProblem() {
  find("#problem").hidden = true;
}

// The server answers again.
export function clearNoAnswer() {
  if (noAnswer) {
    clearProblem();
  }
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
