// Every order of the lab's own cases, from the file that tests/explore/matrix.py has made. Equal steps and tables stand
// in it once, so each is written out here when it is shown. Pure.

function longSteps(steps, pool) {
  return steps.map((step, index) => {
    const [place, completed, blockers] = typeof step === "number" ? [step, index + 1, []] : step;
    return { ...pool[place], completed_after: completed, blocked_by: blockers };
  });
}

const longTables = (tables, pool) => tables.map((place) => pool[place]);

function longPart(part, pool) {
  return { ...part, steps: longSteps(part.steps, pool), state: longTables(part.state, pool) };
}

// The document of race-explore that holds all cases of the file.
export function documentOf({ cases, pool }) {
  return {
    version: 1, unit: "session",
    cases: cases.map(({ id, file, sessions, exploration }) => ({
      file, name: id, sessions, problem: null,
      explorations: [{
        ...exploration,
        outcomes: exploration.outcomes.map((outcome) => longPart(outcome, pool)),
        serial: exploration.serial.map((serial) => longPart(serial, pool)),
      }],
    })),
  };
}

// An order in the form of an outcome. `outcome`: the one that it has, of documentOf().
export function orderAsOutcome(order, outcome, pool) {
  const steps = longSteps(order.steps, pool);
  const names = steps.map(({ step }) => step);
  return {
    ...outcome, steps, order: names, committed: order.committed.map((tables) => longTables(tables, pool)),
    replay: outcome.replay.replace(/--replay '[^']*'/, `--replay '${names.join(" ")}'`),
  };
}

// "ABBA": the sessions of an order.
export function lettersOf({ steps }, pool) {
  return steps.map((step) => pool[typeof step === "number" ? step : step[0]].session).join("");
}

function isAborted(steps) {
  return steps.some(({ answers }) => answers.some(({ error }) => error?.sqlstate === "40001" || error?.sqlstate === "40P01"));
}

// "bad", "aborts" (an abort that the program repeats), "waits" or "fine".
export function cellKind(order, outcome, pool) {
  if (outcome.kind !== "serial") {
    return "bad";
  }
  const steps = longSteps(order.steps, pool);
  if (isAborted(steps)) {
    return "aborts";
  }
  return steps.some((step, index) => step.completed_after !== index + 1) ? "waits" : "fine";
}

export const CELL_WORDS = {
  bad: ["\u2715", "goes wrong"],
  aborts: ["\u21bb", "an abort, which the program repeats"],
  waits: ["\u2016", "a session waits for a lock"],
  fine: ["\u2713", "fine"],
};
