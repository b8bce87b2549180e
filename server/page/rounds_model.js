// The rounds of a run as the picture of all rounds needs them: one lane per round, with the marks of its transfers on a
// common time axis. Pure.

export const ROUNDS_DRAWN = 1000;

const READS = new Set(["read", "lock", "batch"]);
const MICROSECONDS = 1000;
const LANE_HEIGHTS = [[24, 18], [72, 12], [240, 8]]; // [at most so many rounds, pixels]
const LEAST_HEIGHT = 4;
const COLUMN_WIDTH = 250; // a narrower column shows too little of the time
const ROWS_MAX = 36; // more lanes than this below each other are given a second column, if there is room

function worstOf(records) {
  return ["double_spend", "lost_update"].find((kind) => records.some(({ anomaly }) => anomaly === kind)) ??
    (records.some(({ race_detected: raced }) => raced) ? "stale_read" : "clean");
}

// A round from the answers to its transfers. Its marks come later, with the steps.
export function roundOf(number, records) {
  return { number, ids: records.map(({ id }) => id), verdict: worstOf(records), transfers: null, gapUs: null };
}

export function isRaced({ verdict }) {
  return verdict !== "clean";
}

// {rounds, raced, doubleSpends, lostUpdates}
export function tallyOf(rounds) {
  const having = (kind) => rounds.filter(({ verdict }) => verdict === kind).length;
  return {
    rounds: rounds.length, raced: rounds.filter(isRaced).length, doubleSpends: having("double_spend"),
    lostUpdates: having("lost_update"),
  };
}

// The write that went wrong: the last one of a transfer with an anomaly.
function wrongWrite(transfer) {
  const steps = transfer.steps ?? [];
  const writes = steps.filter(({ step }) => step === "deduct" || step === "credit");
  return transfer.anomaly
    ? writes.findLast(({ outcome }) => outcome === "overwrote") ?? writes.findLast(({ step }) => step === "deduct") ?? null : null;
}

function marksOf(transfer, beginUs) {
  const wrong = wrongWrite(transfer);
  const mark = (kind, step) => ({ kind, us: step.at_us - beginUs, bad: step === wrong });
  return (transfer.steps ?? []).flatMap((step) => {
    if (READS.has(step.step) && step.account) {
      return [mark("read", step)];
    }
    return step.step === "check" ? [mark("check", step)] : step.step === "deduct" || step === wrong ? [mark("write", step)] : [];
  });
}

function firstUs(marks, kind) {
  return marks.find((mark) => mark.kind === kind)?.us ?? Infinity;
}

// The round with the marks of its transfers, those that write first at the top. transfers: from the events, or from
// GET /races/{id}.
export function withSteps(round, transfers) {
  const own = transfers.filter(({ id }) => round.ids.includes(id));
  const times = own.flatMap(({ steps }) => steps ?? []).map(({ at_us: at, took_us: took }) => at - (took ?? 0));
  if (own.length < round.ids.length || times.length === 0) {
    return round;
  }
  const beginUs = Math.min(...times);
  const drawn = own.map((transfer) => ({ id: transfer.id, marks: marksOf(transfer, beginUs) }))
    .sort((one, other) => firstUs(one.marks, "write") - firstUs(other.marks, "write") || 0);
  const reads = drawn.map(({ marks }) => firstUs(marks, "read")).filter(Number.isFinite).sort((one, other) => one - other);
  return { ...round, transfers: drawn, gapUs: reads.length > 1 ? reads[1] - reads[0] : null };
}

function endUs({ transfers }) {
  return Math.max(0, ...(transfers ?? []).flatMap(({ marks }) => marks.map(({ us }) => us)));
}

// The length of the common axis in microseconds. One slow round in ten may be longer: it would squeeze the others.
export function axisUs(rounds) {
  const ends = rounds.filter(({ transfers }) => transfers !== null).map(endUs).sort((one, other) => one - other);
  return Math.max(MICROSECONDS, 1.08 * (ends[Math.ceil(ends.length * 0.9) - 1] ?? 0));
}

// Round moments for the axis, in milliseconds.
export function axisTicks(lengthUs, most) {
  const ms = lengthUs / MICROSECONDS;
  const step = [0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000].find((each) => ms / each <= most) ?? 60000;
  return Array.from({ length: Math.floor(ms / step) + 1 }, (_, index) => Number((index * step).toFixed(1)));
}

// The rounds in the order of the lanes: as they ran, or those first whose two reads were the closest.
export function inOrder(rounds, by) {
  return by === "gap"
    ? [...rounds].sort((one, other) => (one.gapUs ?? Infinity) - (other.gapUs ?? Infinity) || one.number - other.number) : rounds;
}

// The place of the lanes: columns from the left, each filled from the top.
export function laneGrid(count, width) {
  const height = (LANE_HEIGHTS.find(([most]) => count <= most) ?? [0, LEAST_HEIGHT])[1];
  const room = Math.max(1, Math.floor(width / COLUMN_WIDTH));
  const columns = Math.min(room, Math.max(1, Math.ceil(count / ROWS_MAX)));
  const rows = Math.max(1, Math.ceil(count / columns));
  return { columns, rows, laneHeight: height, columnWidth: width / columns };
}
