// The sentences of the explorer's page. Pure.

const ROWS_SHOWN = 4;
const VALUE_LENGTH = 80;
const SQL_LENGTH = 600;
const ORDERS_NAMED = 6;

export function shorten(text, length) {
  return text.length <= length ? text : `${text.slice(0, length - 1)}\u2026`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

function listed(names, joint) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} ${joint} ${names.at(-1)}`;
}

export function valueText(value) {
  return value === null ? "NULL" : shorten(value, VALUE_LENGTH);
}

export function sqlText(step) {
  return shorten(step.sql.trim(), SQL_LENGTH);
}

function rowWords(columns, row) {
  return row.map((value, index) => columns[index] === "?column?" ? valueText(value) : `${columns[index]}=${valueText(value)}`).join(", ");
}

function rowsWords({ columns, rows }) {
  if (rows.length === 0) {
    return "no rows";
  }
  const shown = rows.slice(0, ROWS_SHOWN).map((row) => rowWords(columns, row)).filter((each) => each !== "");
  const more = rows.length > ROWS_SHOWN || shown.length === 0 ? [`${count(rows.length, "row")} in all`] : [];
  return [...shown, ...more].join("; ");
}

function answerWords(answer) {
  if (answer.error !== undefined) {
    return `ERROR ${answer.error.sqlstate} ${shorten(answer.error.message, 300)}`;
  }
  const { tag = "", columns = [], rows = [] } = answer;
  const isRead = tag.startsWith("SELECT");
  if (!isRead && columns.length === 0) {
    return tag;
  }
  return isRead ? rowsWords({ columns, rows }) : `${tag}: ${rowsWords({ columns, rows })}`;
}

// The answer to a step in short. "" if the tag says no more than the statement.
export function answersText(step) {
  const text = step.answers.map(answerWords).join("; ");
  return text.toUpperCase() === step.sql.trim().toUpperCase() || text === "BEGIN" ? "" : text;
}

export function waitText(step, sessions) {
  const names = step.blockedBy.map((index) => sessions[index]).filter((name) => name !== undefined);
  return names.length === 0 ? "waits for a lock" : `waits for ${listed(names, "and")}`;
}

// The state of a session, for the head of its lane.
export function stateText({ state, step }, sessions) {
  switch (state) {
    case "before": return "not begun";
    case "waiting": return waitText(step, sessions);
    case "between": return `behind ${step.name}`;
    case "failed": return "ended by an error";
    default: return "ended";
  }
}

// The last step and what it released, for the status line.
export function positionText(order, position) {
  if (position === 0) {
    return `Before the first of ${count(order.steps.length, "step")}.`;
  }
  const parts = order.rows.filter((row) => row.position === position).map(({ step, continues }) => {
    if (!continues && step.until > position) {
      return `${step.name} ${waitText(step, order.sessions)}.`;
    }
    const answer = answersText(step);
    return `${step.name}${continues ? " continues" : ""}${answer === "" ? ` ${step.sql.trim().split(/\s/)[0].toUpperCase()}` : `: ${answer}`}.`;
  });
  return `Step ${position} of ${order.steps.length}. ${parts.join(" ")}`;
}

export function isBad({ kind }) {
  return kind !== "serial";
}

// The name of an outcome.
export function outcomeName({ kind, name, invariants, deadlock, steps }) {
  const broken = invariants.length === 0 ? [] : [`${invariants.length === 1 ? "invariant" : "invariants"} ${listed(invariants, "and")} ${invariants.length === 1 ? "fails" : "fail"}`];
  const first = { anomaly: `not serializable: ${name ?? "unnamed"}`, "new error": "a new error", invariant: null, serial: null }[kind] ?? null;
  if (first !== null || broken.length > 0) {
    return [first, ...broken].filter((each) => each !== null).join("; ");
  }
  const aborted = steps.some(({ answers }) => answers.some(({ error }) => error?.sqlstate === "40001" || error?.sqlstate === "40P01"));
  return aborted ? `serial, after an abort${deadlock ? " (deadlock)" : ""}: retry it` : "serial";
}

// The findings at a level.
export function levelText(exploration) {
  const { orders, anomalous, broken, new_errors: errors, blocked, aborted, complete } = exploration;
  const found = [
    [anomalous, "an outcome that no serial order has"], [broken, "a broken invariant"],
    [errors, "an error that no serial order raises"]].filter(([number]) => number > 0)
    .map(([number, words]) => `${number.toLocaleString("en")} of ${count(orders, "order")} ${number === 1 ? "has" : "have"} ${words}.`);
  const costs = [[blocked, "a session waits"], [aborted, "the server aborts a transaction, which must be retried"]]
    .filter(([number]) => number > 0).map(([number, words]) => `In ${count(number, "order")} ${words}.`);
  const whole = complete ? [] : [`The search is not complete: ${exploration.incomplete_because ?? "it was ended early"}.`];
  return [...(found.length > 0 ? found : [`${complete ? "No" : "So far no"} finding in ${count(orders, "order")}.`]), ...costs, ...whole].join(" ");
}

function rowName({ table, row }) {
  return row === null ? `rows of ${table}` : row === "a new row" ? `a new row of ${table}` : `${table} (${row})`;
}

// An edge of the conflict graph.
export function edgeText(edge) {
  const row = rowName(edge);
  const comes = `So ${edge.from} comes before ${edge.to}.`;
  switch (edge.kind) {
    case "rw": return `${edge.from_step} read ${row} before ${edge.to_step} changed it. ${comes}`;
    case "wr": return `${edge.to_step} read ${row} after ${edge.from_step} had changed it. ${comes}`;
    default: return `${edge.to_step} changed ${row} after ${edge.from_step} had changed it. ${comes}`;
  }
}

export function edgeLabel({ kind, table, row }) {
  return `${kind} ${table}${row === null ? "" : ` ${row}`}`;
}

// Why no serial order has the outcome.
export function whyText(outcome, serial) {
  const cycle = outcome.graph?.cycle ?? [];
  const orders = serial.length > ORDERS_NAMED ? [`${serial.length} outcomes`] : serial.map(({ steps }) => sessionsText(steps));
  if (cycle.length > 0) {
    const pairs = cycle.map((name, index) => `${name} before ${cycle[(index + 1) % cycle.length]}`);
    return `A serial order would need ${listed(pairs, "and")}. No order has both at once, so no serial order gives these answers and rows.`
      .replace("both at once", cycle.length === 2 ? "both" : "all of them");
  }
  if (outcome.kind === "anomaly") {
    return `None of the serial orders of the committed work (${listed(orders, "or")}) gives these answers and rows. The graph shows no short cycle that names it.`;
  }
  if (outcome.kind === "new error") {
    return "No serial order raises this error.";
  }
  return outcome.kind === "invariant" ? "The invariant holds after every serial order." : "A serial order gives the same answers and rows.";
}

// The sessions of an order: "A, then B".
export function sessionsText(steps) {
  return steps.map(({ session }) => session).filter((name, index, all) => name !== all[index - 1]).join(", then ");
}

// The same order at another level, in a sentence or two.
export function besideText(order, leftOut) {
  const waiting = order.steps.filter((step) => step.until > step.from).map((step) => `${step.name} ${waitText(step, order.sessions)}`);
  const failed = order.steps.flatMap((step) => {
    const error = step.answers.find((answer) => answer.error !== undefined)?.error;
    return error === undefined ? [] : [`${step.name} ends with the error ${error.sqlstate}`];
  });
  const never = leftOut.length === 0 ? [] : [`${listed(leftOut, "and")} cannot be launched`];
  const facts = [...waiting, ...failed, ...never];
  return facts.length === 0 ? "No step waits, and none fails." : facts.map((each) => `${each}.`).join(" ");
}
