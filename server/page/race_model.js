// A race in the form that the page draws: lanes with letters, each with its pieces (bands have a duration, marks are
// moments) and their words. It is made from GET /races/{id}, or from events while the race runs. Pure.

import { commitsOf, conflictGraph, moneyTogether, rowVersions } from "./row_history.js";
import { transactionOf, writeReads } from "./sketches.js";
import { isAtStandby, isCommit, list, lostLabel, milliseconds, money, shortMoney, stepWords } from "./words.js";

export const LANES_MAX = 12;

// A shorter wait gets no label, unless it was the wait for the lock itself: it explains nothing.
const LABELLED_WAIT_US = 2000;

const MICROSECONDS = 1000;

// Converts "2026-01-31T12:34:56.789012Z" to microseconds since 1970. Date has milliseconds only.
export function microseconds(timestamp) {
  const fraction = /\.(\d+)/.exec(timestamp)?.[1] ?? "";
  const whole = Date.parse(timestamp.replace(/\.\d+/, ""));
  return whole * MICROSECONDS + Number(fraction.padEnd(6, "0").slice(0, 6));
}

function outcomeOf(transfer) {
  if (transfer.error) {
    return "failed";
  }
  if (!transfer.status) {
    return "running";
  }
  return transfer.status === "success" ? "succeeded" : "refused";
}

function last(steps, name) {
  return steps.findLast((step) => step.step === name);
}

// The write that followed a stale read: the write that overwrote another one according to the server, else the last
// deduct.
function staleWriteOf(transfer) {
  const steps = transfer.steps ?? [];
  return last(steps.filter(({ outcome }) => outcome === "overwrote"), "deduct") ??
    steps.findLast(({ outcome }) => outcome === "overwrote") ?? last(steps, "deduct") ?? null;
}

// The beginning of the last statement that has read and written at once: the moment of its snapshot.
function snapshotOf(steps, reads) {
  const write = reads ? last(steps, "deduct") : undefined;
  return write ? write.at_us - write.took_us : null;
}

// strategy: an element of GET /strategies, or undefined.
function laneOf(transfer, letters, strategy) {
  const stale = transfer.race_detected ? staleWriteOf(transfer) : null;
  const steps = (transfer.steps ?? []).map((step) => ({
    ...step,
    isStale: step === stale,
    blockedBy: (transfer.blocked_by ?? [])
      .filter((wait) => wait.step === step.step && Math.abs(wait.to_us - step.at_us) <= MICROSECONDS)
      .map((wait) => letters.get(wait.transfer_id)).filter(Boolean),
  }));
  const anomaly = transfer.anomaly ?? null;
  return {
    letter: letters.get(transfer.id),
    id: transfer.id,
    from: transfer.from_account,
    to: transfer.to_account,
    amount: transfer.amount,
    strategy: transfer.strategy,
    replica: transfer.replica ?? null,
    seq: transfer.seq ?? 0,
    traceUrl: transfer.trace_url ?? null,
    error: transfer.error ?? null,
    outcome: outcomeOf(transfer),
    anomaly,
    stale: transfer.race_detected === true,
    staleWrite: steps.find(({ isStale }) => isStale) ?? null,
    valueRead: (stale?.step === "credit" ? transfer.to_balance_before : transfer.from_balance_before) ?? null,
    startUs: transfer.admitted_us ?? microseconds(transfer.timestamp),
    waitsAtBarrierSince: transfer.waiting_since_us ?? null,
    transaction: strategy && transactionOf(strategy.sketch), // undefined: not known
    balanceBefore: transfer.from_balance_before ?? null,
    targetBefore: transfer.to_balance_before ?? null,
    snapshotUs: snapshotOf(steps, strategy !== undefined && writeReads(strategy.sketch)),
    steps,
  };
}

// Marks

function mark(step, side, label, tone = "plain") {
  return { type: "mark", kind: step.step, step: step.step, side, label, tone, fromUs: step.at_us, toUs: step.at_us };
}

function band(step, label, tone = "plain") {
  return { type: "band", kind: step.step, step: step.step, label, tone, fromUs: step.at_us - step.took_us, toUs: step.at_us };
}

function sees(lane, step) {
  const takesSnapshot = step.step === "read" && lane.transaction?.level;
  const verb = takesSnapshot ? "snapshot: sees" : isAtStandby(step) ? "standby:" : "reads";
  const made = mark(step, "saw", `${verb} ${shortMoney(step.value)}`,
    lane.stale ? "stale" : "plain");
  return takesSnapshot ? { ...made, kind: "read snapshot" } : made;
}

// The beginning of a statement that reads and writes: what it has read then, it keeps while it waits for the row.
function statementBegins(lane, step) {
  if (lane.snapshotUs === null) {
    return [];
  }
  const sees = lane.balanceBefore === null ? "" : `: sees ${shortMoney(lane.balanceBefore)}`;
  const us = step.at_us - step.took_us;
  return [{ ...mark(step, "saw", `statement begins${sees}`, lane.stale ? "stale" : "plain"), kind: "snapshot", fromUs: us, toUs: us }];
}

// The begin of the transaction in which a step is the first. A batch begins its transaction while its transfers wait:
// no record says when, so the end of the wait stands for it.
function begin(lane, step, previousUs) {
  const us = step.step === "batch" ? step.at_us : step.took_us > 0 ? step.at_us - step.took_us : previousUs;
  const label = `BEGIN${lane.transaction.level ? `, ${lane.transaction.level}` : ""}`;
  return { ...mark(step, "did", label), kind: "begin", step: "begin", fromUs: us, toUs: us };
}

// The wait for a lock, and its holder. A lock step ("lock", "mutex") is always drawn. The wait of another statement is
// drawn only if another transfer blocked it. `spare` is a label that is drawn only where there is room for it anyway.
function waitFor(step, what) {
  const isLabelled = step.took_us >= LABELLED_WAIT_US;
  if (step.blockedBy.length === 0) {
    return { ...band(step, isLabelled ? what : ""), spare: what };
  }
  const whom = `waits for ${list(step.blockedBy)}`;
  return { ...band(step, isLabelled || what !== "" ? whom : "", "blocked"), kind: "lock", spare: whom };
}

function blocked(step) {
  return step.blockedBy.length > 0 ? [waitFor(step, "")] : [];
}

// A write, and the time until others could see it: it is visible when it is committed, not when it is made.
function write(lane, step, does) {
  const tone = lane.staleWrite !== step ? "plain" : lane.anomaly === "stale_read" ? "stale" : "bad";
  const overwrites = step.step === "credit" ? `overwrites ${step.account}` : "overwrites";
  const verb = lane.staleWrite === step && lane.anomaly === "lost_update" ? overwrites : does;
  const made = mark(step, "did", `${verb} \u2192 ${shortMoney(step.value)}`, tone);
  if (!(step.committed_at_us > step.at_us)) {
    return [made];
  }
  return [made, {
    type: "band", kind: "committing", step: step.step, tone: "plain", label: "", spare: "commits", fromUs: step.at_us,
    toUs: step.committed_at_us,
  }];
}

// "COMMIT" stands only where there is a transaction to commit.
function endLabel(lane, step, isInside) {
  if (isInside) {
    return "COMMIT";
  }
  return lane.outcome === "refused" ? "ends" : isCommit(step) && lane.transaction !== null ? "commit" : "recorded";
}

const PIECES = {
  read: (lane, step) => [...blocked(step), sees(lane, step)],
  lock: (lane, step) => [waitFor(step, "row locks"), ...(step.account ? [sees(lane, step)] : [])],
  mutex: (lane, step) => [waitFor(step, "mutex")],
  hold: (lane, step) => [band(step, "keeps the row")],
  replay: (lane, step) => [band(step, "waits for the standby")],
  batch: (lane, step) => [band(step, `batch of ${step.parties}`), ...(step.account ? [sees(lane, step)] : [])],
  barrier: (lane, step) => [band(step, step.outcome === "released" ? "barrier" : `barrier: ${step.outcome}`)],
  delay: (lane, step) => [band(step, `delay ${milliseconds(step.took_us)}`)],
  check: (lane, step) => step.value >= lane.amount
    ? [mark(step, "saw", `check: ${shortMoney(step.value)} \u2265 ${shortMoney(lane.amount)}`)]
    : [mark(step, "saw", `check: ${shortMoney(step.value)} < ${shortMoney(lane.amount)}, refused`, "refused")],
  deduct: (lane, step) => [...statementBegins(lane, step), ...blocked(step), ...write(lane, step, "deducts")],
  credit: (lane, step) => write(lane, step, step.account),
  retry: (lane, step) => [mark(step, "did", lostLabel(step), "refused")],
  commit: (lane, step, isInside) => [mark(step, "did", endLabel(lane, step, isInside))],
};

// The current piece of the lane: a wait that has begun and has not ended yet.
function openPiece(lane, lastUs) {
  const atBarrier = lane.waitsAtBarrierSince !== null;
  return {
    type: "band", kind: atBarrier ? "barrier" : "open", step: atBarrier ? "barrier" : "", tone: "open",
    label: atBarrier ? "waits at the barrier" : "\u2026",
    fromUs: atBarrier ? lane.waitsAtBarrierSince : lastUs, toUs: null,
  };
}

function queued(lane) {
  const first = lane.steps[0];
  const begins = first ? first.at_us - first.took_us : null;
  if (begins === null || begins - lane.startUs < LABELLED_WAIT_US) {
    return [];
  }
  return [{ type: "band", kind: "queue", step: "", tone: "plain", label: "queued", fromUs: lane.startUs, toUs: begins }];
}

function piecesOf(lane) {
  const pieces = queued(lane);
  let isInside = false;
  let previousUs = lane.startUs;
  for (const step of lane.steps) {
    const made = PIECES[step.step]?.(lane, step, isInside) ?? [];
    if (!isInside && lane.transaction?.steps.has(step.step)) {
      isInside = true;
      made.splice(step.step === "batch" ? 1 : 0, 0, begin(lane, step, previousUs));
    }
    isInside &&= step.step !== "commit" && step.step !== "retry";
    previousUs = step.at_us;
    pieces.push(...made);
  }
  if (lane.outcome === "running") {
    pieces.push(openPiece(lane, lane.steps.at(-1)?.at_us ?? lane.startUs));
  }
  return pieces.map((piece) => ({ ...piece, letter: lane.letter }));
}

// The moments that no step of the record stands for.
function beginningsOf(lane) {
  const sees = lane.balanceBefore === null ? "" : `: sees ${lane.from}: ${money(lane.balanceBefore)}`;
  return lane.pieces.flatMap((piece) => piece.kind === "begin" ? [{ us: piece.fromUs, text: piece.label }]
    : piece.kind === "snapshot" ? [{ us: piece.fromUs, text: `the statement begins${sees}` }] : []);
}

// `lanes` are in the order of their records: the steps of a batch have the same time.
function rowsOf(lanes) {
  return lanes.flatMap((lane) => [
    ...queued(lane).map(({ fromUs }) => ({ us: fromUs, text: "waits in the queue", letter: lane.letter, tone: "plain" })),
    ...beginningsOf(lane).map((moment) => ({ ...moment, letter: lane.letter, tone: "plain" })),
    ...lane.steps.flatMap((step) => stepWords(lane, step).map((moment) => ({
      ...moment, letter: lane.letter,
      tone: step === lane.staleWrite ? (lane.anomaly === "stale_read" ? "stale" : "bad") : "plain",
    })))]).sort((one, other) => one.us - other.us);
}

function verdictOf(lanes) {
  return ["double_spend", "lost_update", "stale_read"].find((kind) => lanes.some((lane) => lane.anomaly === kind)) ??
    "clean";
}

function lowestOf(lanes, account) {
  const values = lanes.flatMap((lane) => lane.steps).filter((step) => step.account === account)
    .map((step) => step.value);
  return values.length === 0 ? null : Math.min(...values);
}

// Orders the lanes by their target, and transfers to one target as they came: so the same transfer has the same letter
// in a race and under its fix. The order is that of code points, as in psql and in the terminal.
function inOrderOfTarget(transfers) {
  return [...transfers].sort(({ to_account: one }, { to_account: other }) => one < other ? -1 : one > other ? 1 : 0);
}

// Makes the model of {race?, transfers, missed_writes?}. `race` is the server's verdict where it is known. strategies:
// the list of GET /strategies; without it the model has no transactions and no snapshots.
export function raceModel({ race, transfers, missed_writes: missed = [] }, strategies = []) {
  const drawn = inOrderOfTarget(transfers).slice(0, LANES_MAX);
  const letters = new Map(drawn.map((transfer, index) => [transfer.id, String.fromCharCode(65 + index)]));
  const lanes = drawn.map((transfer) =>
    laneOf(transfer, letters, strategies.find(({ name }) => name === transfer.strategy)));
  const recorded = [...lanes].sort((one, other) => one.seq - other.seq);
  const account = race?.account ?? lanes[0].from;
  const missedWrites = missed.filter((miss) => letters.has(miss.reader) && letters.has(miss.writer)).map((miss) => ({
    reader: letters.get(miss.reader), writer: letters.get(miss.writer),
    readUs: miss.read_at_us, writtenUs: miss.written_at_us, account: miss.account ?? account,
    elsewhere: (miss.account ?? account) !== account,
    uncommitted: miss.uncommitted_at_read ?? miss.written_at_us <= miss.read_at_us,
    notReplayed: miss.not_replayed ?? false,
    valueRead: miss.value_read, valueWritten: miss.value_written,
  }));
  const versions = rowVersions({ account, lanes, missed: missedWrites });
  commitsOf(versions, lanes);
  for (const lane of lanes) {
    lane.pieces = piecesOf(lane);
  }
  const model = {
    id: race?.id ?? lanes[0].id,
    account,
    lanes,
    undrawn: Math.max(race?.transfer_count ?? 0, transfers.length) - lanes.length,
    startUs: Math.min(...lanes.map((lane) => Math.min(lane.pieces[0]?.fromUs ?? lane.startUs,
      lane.steps.length > 0 ? lane.steps[0].at_us - lane.steps[0].took_us : Infinity))),
    strategies: [...new Set(lanes.map((lane) => lane.strategy))],
    judged: race !== undefined, // true: the verdict is the server's; false: it is derived from the events
    finished: lanes.every((lane) => lane.outcome !== "running"),
    verdict: race?.verdict ?? verdictOf(lanes),
    lowestBalance: race?.lowest_balance ?? lowestOf(lanes, account),
    succeeded: race?.succeeded ?? lanes.filter((lane) => lane.outcome === "succeeded").length,
    refused: race?.refused ?? lanes.filter((lane) => lane.outcome === "refused").length,
    recorded, // the lanes in the order of their records
    rows: rowsOf(recorded),
    missed: missedWrites,
    versions,
    conflicts: conflictGraph(versions, account),
  };
  return { ...model, together: moneyTogether(model, versions) };
}
