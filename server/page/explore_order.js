// An order of steps as the picture needs it: which step has been answered, and who waits for whom, after each step.
// Pure. A position is a number of steps: at 0 none has been launched, at steps.length all have.

// The steps with their positions: launched at `from`, answered at `until` (Infinity: never).
export function readOrder({ steps }, sessions) {
  const read = steps.map((step, index) => ({
    name: step.step,
    session: sessions.indexOf(step.session),
    sql: step.sql,
    line: step.line,
    answers: step.answers,
    from: index + 1,
    until: step.completed_after === 0 ? Infinity : Math.max(step.completed_after, index + 1),
    blockedBy: step.blocked_by.map((name) => sessions.indexOf(name)),
  }));
  return { sessions, steps: read, rows: rowsOf(read) };
}

// The rows of the picture from the top: each launch, and below the launch that released them those that continue.
function rowsOf(steps) {
  const rows = [];
  for (const step of steps) {
    rows.push({ step, position: step.from, continues: false });
    for (const other of steps) {
      if (other.from < step.from && other.until === step.from) {
        rows.push({ step: other, position: step.from, continues: true });
      }
    }
  }
  return rows;
}

export function waits(step, position) {
  return step.from <= position && position < step.until;
}

// The first error among the answers of a step, or undefined.
export function errorOf(step) {
  return step.answers.find(({ error }) => error !== undefined)?.error;
}

// A session at a position: {state: "before" | "waiting" | "between" | "ended" | "failed", step}.
export function sessionAt(order, session, position) {
  const own = order.steps.filter((step) => step.session === session);
  const launched = own.filter((step) => step.from <= position);
  const step = launched.at(-1);
  if (step === undefined) {
    return { state: own.length === 0 ? "ended" : "before", step: null };
  }
  if (waits(step, position)) {
    return { state: "waiting", step };
  }
  const isLast = launched.length === own.length;
  return { state: !isLast ? "between" : errorOf(step) ? "failed" : "ended", step };
}

// The other order's positions for each position of the first one. The other one was followed as far as it could go: a
// session that waited or had ended was passed over, and the steps behind the end of the first order come last.
export function alignedPositions(order, other) {
  const positions = [0];
  let at = 0;
  for (const step of order.steps) {
    if (at < other.steps.length && other.steps[at].session === step.session) {
      at++;
    }
    positions.push(at);
  }
  positions[order.steps.length] = other.steps.length;
  return positions;
}

// The names of the steps that only the first order has.
export function stepsLeftOut(order, other) {
  const there = new Set(other.steps.map(({ name }) => name));
  return order.steps.filter(({ name }) => !there.has(name)).map(({ name }) => name);
}

// The committed tables at a position, or null if they are not known there.
export function tablesAt({ committed = [], state }, position, last) {
  if (position === last) {
    return state;
  }
  if (committed.length !== last + 1 || committed[0] === null) {
    return null;
  }
  const tables = new Map();
  for (const changed of committed.slice(0, position + 1)) {
    for (const table of changed ?? []) {
      tables.set(table.table, table);
    }
  }
  return committed[position] === null ? null : [...tables.values()];
}

function rowText(table, row) {
  return JSON.stringify(row.map((value, column) => table.not_compared.includes(table.columns[column]) ? "" : value));
}

function hasRow(tables, name, text) {
  return tables.some((table) => table.table === name && table.rows.some((row) => rowText(table, row) === text));
}

// True if none of the serial outcomes has exactly these rows.
export function differsFromAll(tables, serial) {
  const texts = (table) => JSON.stringify(table.rows.map((row) => rowText(table, row)).sort());
  const all = (state) => JSON.stringify(state.map((table) => [table.table, texts(table)]));
  return serial.length > 0 && serial.every(({ state }) => all(state) !== all(tables));
}

// True if none of the serial outcomes has the row.
export function isOnlyHere(table, row, serial) {
  const text = rowText(table, row);
  return serial.length > 0 && serial.every(({ state }) => !hasRow(state, table.table, text));
}
