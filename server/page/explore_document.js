// Reads the text of a document that race-explore --json has written, and checks it before anything is drawn. Pure.

export const BYTES_MAX = 16 * 1024 * 1024; // a larger file is not opened: the browser would stand still
const VERSION = 1;

// "text", "number" and "boolean"; with a "?" behind it null may stand there; with a "?" before it, it may be missing.
// [kind] is an array. Another name is a row of this table.
const SHAPES = {
  document: { version: "number", unit: "text", cases: ["case"] },
  case: { file: "text", name: "text?", sessions: ["text"], explorations: ["exploration"], problem: "text?" },
  exploration: {
    level: "text", complete: "boolean", incomplete_because: "text?", orders: "number", anomalous: "number",
    broken: "number", new_errors: "number", blocked: "number", aborted: "number", outcomes: ["outcome"], serial: ["serial"],
  },
  serial: { order: ["text"], steps: ["step"], state: ["table"] },
  outcome: {
    kind: "text", name: "text?", invariants: ["text"], count: "number", deadlock: "boolean", order: ["text"],
    steps: ["step"], state: ["table"], replay: "text", "?graph": "graph", "?committed": ["tables?"], "?beside": ["beside"],
  },
  beside: {
    level: "text", kind: "text", name: "text?", invariants: ["text"], deadlock: "boolean", order: ["text"],
    steps: ["step"], state: ["table"], committed: ["tables?"],
  },
  step: {
    step: "text", session: "text", line: "number", sql: "text", blocked_by: ["text"], completed_after: "number",
    answers: ["answer"],
  },
  answer: { "?error": "error", "?tag": "text", "?columns": ["text"], "?rows": [["text?"]], undone: "boolean" },
  error: { sqlstate: "text", message: "text" },
  table: { table: "text", columns: ["text"], not_compared: ["text"], rows: [["text?"]] },
  graph: { edges: ["edge"], cycle: ["text"] },
  edge: { from: "text", to: "text", kind: "text", table: "text", row: "text?", from_step: "text", to_step: "text", in_cycle: "boolean" },
};
const PLAIN = { text: "string", number: "number", boolean: "boolean" };
const NAMED = { text: "a text", number: "a number", boolean: "true or false" };

class UnfitError extends Error {}

function refuse(path, expected) {
  throw new UnfitError(`${path || "the document"} is not ${expected}`);
}

function checkArray(value, kind, path) {
  if (!Array.isArray(value)) {
    refuse(path, "a list");
  }
  value.forEach((each, index) => check(each, kind, `${path}[${index}]`));
}

function checkObject(value, kind, path) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    refuse(path, "an object");
  }
  for (const [key, wanted] of Object.entries(SHAPES[kind])) {
    const name = key.replace("?", "");
    if (Object.hasOwn(value, name)) {
      check(value[name], wanted, path === "" ? name : `${path}.${name}`);
    } else if (!key.startsWith("?")) {
      throw new UnfitError(`${path || "the document"} has no member "${name}"`);
    }
  }
}

function check(value, kind, path) {
  if (Array.isArray(kind)) {
    checkArray(value, kind[0], path);
    return;
  }
  const plain = kind.replace("?", "");
  if (kind.endsWith("?") && value === null) {
    return;
  }
  if (plain === "tables") {
    checkArray(value, "table", path);
  } else if (plain in PLAIN) {
    if (typeof value !== PLAIN[plain]) {
      refuse(path, NAMED[plain]);
    }
  } else {
    checkObject(value, plain, path);
  }
}

// Each step belongs to a session of its case, or it has no place in the picture.
function checkSessions(explored, path) {
  for (const [number, exploration] of explored.explorations.entries()) {
    const orders = [...exploration.outcomes, ...exploration.serial, ...exploration.outcomes.flatMap((each) => each.beside ?? [])];
    const step = orders.flatMap(({ steps }) => steps).find(({ session }) => !explored.sessions.includes(session));
    if (step !== undefined) {
      throw new UnfitError(`${path}.explorations[${number}]: step ${step.step} is of session ${step.session}, which the case does not have`);
    }
  }
}

// Returns {found} or {problem}: one sentence that says what is wrong with the text.
export function readDocument(text) {
  let found = null;
  try {
    found = JSON.parse(text);
  } catch (error) {
    return { problem: `It is no JSON: ${error.message}` };
  }
  try {
    if (found?.version !== undefined && found.version !== VERSION) {
      throw new UnfitError(`its version is ${found.version}, and this page reads version ${VERSION}`);
    }
    check(found, "document", "");
    found.cases.forEach((each, index) => checkSessions(each, `cases[${index}]`));
  } catch (error) {
    if (error instanceof UnfitError) {
      return { problem: `It is no document of race-explore --json: ${error.message}.` };
    }
    throw error;
  }
  return { found };
}

// Returns a sentence if the file is too large, or else null.
export function tooLarge(bytes) {
  const mebibytes = (count) => (count / 1024 / 1024).toFixed(1);
  return bytes <= BYTES_MAX ? null
    : `It has ${mebibytes(bytes)} MiB, and this page opens at most ${mebibytes(BYTES_MAX)} MiB. Explore fewer cases or levels `
      + "at once (--case, --levels).";
}
