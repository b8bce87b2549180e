// Units of the proxy in the form that timeline.js lays out: a lane for each unit, with its statements as marks, and its
// holds and waits as bands. Pure. Units are those of GET /units and GET /findings/{id}.

import { milliseconds } from "./words.js";

export const LANES_MAX = 6;

const TOGETHER_US = 3_000_000; // units that ended this long before the newest one began are another story
const SLOW_US = 5_000; // a statement that took longer is drawn with its duration

const VERBS = { SELECT: "reads", INSERT: "inserts into", UPDATE: "updates", DELETE: "deletes from", MERGE: "merges into", TRUNCATE: "truncates", COPY: "copies" };

export const KINDS = {
  stale_read: "Stale read", lost_update: "Lost update", check_lost: "Check lost", write_skew: "Write skew",
  phantom: "Phantom", lock_too_late: "Lock too late",
};

export const ENDINGS = {
  complete: "released together", delayed: "delayed", limit: "nobody came", protected: "protected by a lock",
  cancelled: "cancelled", left: "connection closed", opened: "let go by hand", replaced: "rules replaced", stopping: "proxy stops",
};

const words = (statement) => (statement.summary ?? "").split(" ");

// The verb of the statement that counts: a write if there is one.
function verbOf(statement) {
  const own = words(statement);
  return ["UPDATE", "INSERT", "DELETE", "MERGE", "TRUNCATE", "COPY"].find((verb) => own.includes(verb)) ?? own[0];
}

function labelOf(statement, verb) {
  const own = words(statement);
  const target = own[own.indexOf(verb) + 1] ?? "";
  const first = statement.sql.trim().split(/\s+/)[0]?.toUpperCase() ?? "";
  const label = VERBS[verb] ? `${VERBS[verb]} ${target}`.trim() : verb || first || "statement";
  return statement.sqlstate ? `${label}: ERROR ${statement.sqlstate}` : label;
}

function mark(kind, side, label, tone, us) {
  return { type: "mark", kind, step: kind, side, label, tone, fromUs: us, toUs: us };
}

function band(kind, label, tone, fromUs, toUs) {
  return { type: "band", kind, step: kind, label, tone, fromUs, toUs };
}

function holdPiece(hold) {
  const ending = hold.ending ? `: ${ENDINGS[hold.ending] ?? hold.ending}` : "";
  return band("barrier", `held ${hold.place}${ending}`, hold.ending ? "plain" : "open", hold.from_us, hold.to_us);
}

function statementPieces(statement) {
  const verb = verbOf(statement);
  const label = labelOf(statement, verb);
  const doneUs = statement.done_us;
  const pieces = statement.hold ? [holdPiece(statement.hold)] : [];
  if (verb === "BEGIN") {
    return [...pieces, mark("begin", "did", "BEGIN", "plain", statement.sent_us)];
  }
  if (doneUs === null) {
    return [...pieces, band("delay", statement.waits_for ? `waits for session ${statement.waits_for}` : label,
      statement.waits_for ? "blocked" : "open", statement.sent_us, null)];
  }
  if (statement.waits_for) {
    pieces.push(band("lock", `waits for session ${statement.waits_for}`, "blocked", statement.sent_us, doneUs));
  } else if (doneUs - statement.sent_us > SLOW_US) {
    pieces.push(band("delay", milliseconds(doneUs - statement.sent_us), "plain", statement.sent_us, doneUs));
  }
  const bad = statement.found_write || statement.sqlstate !== null;
  if (statement.sqlstate !== null) {
    return [...pieces, mark("retry", "did", label, "refused", doneUs)];
  }
  if (verb === "COMMIT" || verb === "ROLLBACK") {
    return [...pieces, mark(statement.tag === "COMMIT" ? "commit" : "retry", "did", statement.tag ?? verb, "plain", doneUs)];
  }
  const reads = verb === "SELECT";
  return [...pieces, mark(reads ? "read" : VERBS[verb] ? "deduct" : "credit", reads ? "saw" : "did", label,
    bad ? "bad" : statement.found_read ? "stale" : "plain", doneUs)];
}

function endOf(unit) {
  const ends = { open: "under way", committed: "committed", rolled_back: "rolled back", done: "no transaction" };
  return ends[unit.end];
}

function laneOf(unit, index) {
  const letter = String.fromCharCode(65 + index);
  const pieces = unit.statements.flatMap(statementPieces);
  if (unit.hold) {
    pieces.push(holdPiece(unit.hold));
  }
  return {
    letter, unit, pieces: pieces.map((piece) => ({ ...piece, letter })),
    heading: {
      title: `session ${unit.session}`, outcome: unit.left_out > 0 ? `${unit.left_out} more statements` : endOf(unit),
      tone: unit.end === "committed" && !unit.finding ? "good" : unit.finding ? "bad" : "plain",
    },
  };
}

function modelOf(units, missed) {
  const lanes = units.map(laneOf).filter(({ pieces }) => pieces.length > 0);
  return {
    lanes, missed, versions: [], account: "", finished: units.every(({ end }) => end !== "open"),
    startUs: Math.min(...lanes.flatMap(({ pieces }) => pieces.map(({ fromUs }) => fromUs))),
  };
}

// The newest units that belong together in time, oldest first; null without any.
export function recentModel(units) {
  const shown = units.filter(({ statements, hold }) => statements.length > 0 || hold);
  if (shown.length === 0) {
    return null;
  }
  const near = shown.filter(({ to_us: toUs }) => toUs === null || toUs > shown[0].from_us - TOGETHER_US);
  return modelOf(near.slice(0, LANES_MAX).reverse(), []);
}

// The red line: from the read of the unit that acted on it to the write that it missed.
function missedOf(units) {
  const [first, second] = units;
  const read = first?.statements.find(({ found_read: found }) => found);
  const write = second?.statements.findLast(({ found_write: found }) => found);
  return read?.done_us && write?.done_us
    ? [{ reader: "A", writer: "B", readUs: read.done_us, writtenUs: write.done_us, label: "A did not see this write of B" }] : [];
}

export function findingModel({ units }) {
  return units.length === 0 ? null : modelOf(units, missedOf(units));
}

// The history of the row in a finding, oldest first: {us, text}.
export function rowSteps(units) {
  const steps = units.flatMap((unit, index) => {
    const letter = String.fromCharCode(65 + index);
    const commit = unit.statements.find(({ tag }) => tag === "COMMIT");
    const own = unit.statements.flatMap((statement) => {
      const made = [];
      if (statement.found_read && statement.done_us) {
        made.push({ us: statement.done_us, text: `${letter} has read it` });
      }
      if (statement.found_write && statement.done_us) {
        made.push({ us: statement.done_us, text: `${letter} has written a new version${commit ? ", which others do not see yet" : ""}` });
      }
      return made;
    });
    const wrote = unit.statements.some(({ found_write: found }) => found);
    return commit && wrote ? [...own, { us: commit.done_us, text: `${letter} commits: its version is the row now` }] : own;
  });
  return steps.sort((one, other) => one.us - other.us);
}

// Which of the rules are the switch, and the others: {force, waiters, other}.
export function rulesOf(rules) {
  const found = rules.map((rule) => /^before write \* if-read barrier (\d+)$/.exec(rule));
  const at = found.findIndex((match) => match !== null);
  return { force: at !== -1, waiters: at === -1 ? null : Number(found[at][1]), other: rules.filter((_, index) => index !== at) };
}

export function rulesText(force, waiters, other) {
  return [...(force ? [`before write * if-read barrier ${waiters}`] : []), other.trim()].filter((each) => each !== "").join("\n");
}
