// Shows an error, in the server's own words, at the top of the page; and runs work that may fail.

import { find } from "./dom.js";

let noAnswer = false; // true while the shown problem is that the server did not answer

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

// Called when the server answers again.
export function clearNoAnswer() {
  if (noAnswer) {
    clearProblem();
  }
}

// Runs the work. On an error it shows the problem and returns undefined.
export async function attempt(work) {
  try {
    return await work();
  } catch (problem) {
    showProblem(problem);
    return undefined;
  }
}

export function startProblems() {
  find("#problem-close").addEventListener("click", () => {
    clearProblem();
    find("#timelines").focus({ preventScroll: true }); // the hidden button would lose the focus
  });
}
