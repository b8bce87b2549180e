// A race in the form that the page draws: lanes with letters, each with its pieces (bands have a duration, marks are
// moments) and their words. It is made from GET /races/{id}, or from events while the race runs. Pure.

import { isCommit, list, milliseconds, shortMoney, stepWords } from "./words.js";

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

function laneOf(transfer, index, letters) {
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
    traceUrl: transfer.trace_url ?? null,
    error: transfer.error ?? null,
    outcome: outcomeOf(transfer),
    anomaly,
    stale: transfer.race_detected === true,
    staleWrite: steps.find(({ isStale }) => isStale) ?? null,
    valueRead: (stale?.step === "credit" ? transfer.to_balance_before : transfer.from_balance_before) ?? null,
    startUs: transfer.admitted_us ?? microseconds(transfer.timestamp),
    waitsAtBarrierSince: transfer.waiting_since_us ?? null,
    steps,
  };
}

// Marks

function mark(step, side, label, tone = "plain") {
  return { type: "mark", kind: step.step, side, label, tone, fromUs: step.at_us, toUs: step.at_us };
}

function band(step, label, tone = "plain") {
  return { type: "band", kind: step.step, label, tone, fromUs: step.at_us - step.took_us, toUs: step.at_us };
}

function sees(lane, step) {
  return mark(step, "saw", `reads ${shortMoney(step.value)}`, lane.stale ? "stale" : "plain");
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
    type: "band", kind: "committing", tone: "plain", label: "", spare: "commits", fromUs: step.at_us,
    toUs: step.committed_at_us,
  }];
}

const PIECES = {
  read: (lane, step) => [...blocked(step), sees(lane, step)],
  lock: (lane, step) => [waitFor(step, "row locks"), ...(step.account ? [sees(lane, step)] : [])],
  mutex: (lane, step) => [waitFor(step, "mutex")],
  hold: (lane, step) => [band(step, "keeps the row")],
  batch: (lane, step) => [band(step, `batch of ${step.parties}`), ...(step.account ? [sees(lane, step)] : [])],
  barrier: (lane, step) => [band(step, step.outcome === "released" ? "barrier" : `barrier: ${step.outcome}`)],
  delay: (lane, step) => [band(step, `delay ${milliseconds(step.took_us)}`)],
  check: (lane, step) => step.value >= lane.amount
    ? [mark(step, "saw", `check: ${shortMoney(step.value)} \u2265 ${shortMoney(lane.amount)}`)]
    : [mark(step, "saw", `check: ${shortMoney(step.value)} < ${shortMoney(lane.amount)}, refused`, "refused")],
  deduct: (lane, step) => [...blocked(step), ...write(lane, step, "deducts")],
  credit: (lane, step) => write(lane, step, step.account),
  retry: (lane, step) => [mark(step, "did", `lost (${step.outcome}), again`, "refused")],
  commit: (lane, step) => [mark(step, "did", lane.outcome === "refused" ? "ends" : isCommit(step) ? "commit" : "recorded")],
};

// The current piece of the lane: a wait that has begun and has not ended yet.
function openPiece(lane, lastUs) {
  const atBarrier = lane.waitsAtBarrierSince !== null;
  return {
    type: "band", kind: atBarrier ? "barrier" : "open", tone: "open",
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
  return [{ type: "band", kind: "queue", tone: "plain", label: "queued", fromUs: lane.startUs, toUs: begins }];
}

function piecesOf(lane) {
  const pieces = [...queued(lane), ...lane.steps.flatMap((step) => PIECES[step.step]?.(lane, step) ?? [])];
  if (lane.outcome === "running") {
    pieces.push(openPiece(lane, lane.steps.at(-1)?.at_us ?? lane.startUs));
  }
  return pieces;
}

function rowsOf(lanes) {
  return lanes.flatMap((lane) => lane.steps.flatMap((step) => stepWords(lane, step).map((moment) => ({
    ...moment, letter: lane.letter,
    tone: step === lane.staleWrite ? (lane.anomaly === "stale_read" ? "stale" : "bad") : "plain",
  })))).sort((one, other) => one.us - other.us);
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

function firstWrite(transfer) {
  return transfer.steps?.find(({ step }) => step === "deduct")?.at_us ?? Infinity;
}

// Orders the lanes by their first write: the first writer is A, at the top. Transfers without a write come last. Two
// close moments may be in the wrong order where clocks differ, so a transfer that missed a write comes after the
// writer.
function inOrderOfWriting(transfers, missed) {
  const ordered = transfers.map((transfer, index) => ({ transfer, index, wrote: firstWrite(transfer) }))
    .sort((one, other) => one.wrote === other.wrote ? one.index - other.index : one.wrote - other.wrote)
    .map(({ transfer }) => transfer);
  const place = (id) => ordered.findIndex((transfer) => transfer.id === id);
  for (const { reader, writer } of [...missed].sort((one, other) => place(one.writer) - place(other.writer))) {
    if (place(reader) !== -1 && place(reader) < place(writer)) {
      const [late] = ordered.splice(place(reader), 1);
      ordered.splice(place(writer) + 1, 0, late);
    }
  }
  return ordered;
}

// Makes the model of {race?, transfers, missed_writes?}. `race` is the server's verdict where it is known.
export function raceModel({ race, transfers, missed_writes: missed = [] }) {
  const drawn = inOrderOfWriting(transfers, missed).slice(0, LANES_MAX);
  const letters = new Map(drawn.map((transfer, index) => [transfer.id, String.fromCharCode(65 + index)]));
  const lanes = drawn.map((transfer, index) => laneOf(transfer, index, letters));
  const account = race?.account ?? lanes[0].from;
  for (const lane of lanes) {
    lane.pieces = piecesOf(lane);
  }
  return {
    id: race?.id ?? lanes[0].id,
    account,
    lanes,
    undrawn: Math.max(race?.transfer_count ?? 0, transfers.length) - lanes.length,
    startUs: Math.min(...lanes.map((lane) => lane.pieces[0]?.fromUs ?? lane.startUs)),
    strategies: [...new Set(lanes.map((lane) => lane.strategy))],
    judged: race !== undefined, // true: the verdict is the server's; false: it is derived from the events
    finished: lanes.every((lane) => lane.outcome !== "running"),
    verdict: race?.verdict ?? verdictOf(lanes),
    lowestBalance: race?.lowest_balance ?? lowestOf(lanes, account),
    succeeded: race?.succeeded ?? lanes.filter((lane) => lane.outcome === "succeeded").length,
    refused: race?.refused ?? lanes.filter((lane) => lane.outcome === "refused").length,
    rows: rowsOf(lanes),
    missed: missed.filter((miss) => letters.has(miss.reader) && letters.has(miss.writer)).map((miss) => ({
      reader: letters.get(miss.reader), writer: letters.get(miss.writer),
      readUs: miss.read_at_us, writtenUs: miss.written_at_us, account: miss.account ?? account,
      elsewhere: (miss.account ?? account) !== account,
      uncommitted: miss.uncommitted_at_read ?? miss.written_at_us <= miss.read_at_us,
      valueRead: miss.value_read, valueWritten: miss.value_written,
    })),
  };
}
