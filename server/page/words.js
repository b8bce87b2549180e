// The words of the page for money, moments and the steps of a transfer. They are the words of views.sql. Pure.

// "$1000.00"; the sign stands before the currency, so that a negative amount is easy to see.
export function money(value) {
  return `${value < 0 ? "-" : ""}$${Math.abs(value).toFixed(2)}`;
}

// "$1000": for the picture, where room is short. The cents are left out if they are zero.
export function shortMoney(value) {
  return Number.isInteger(value) ? money(value).replace(/\.00$/, "") : money(value);
}

export function milliseconds(us) {
  const ms = us / 1000;
  return `${ms >= 10 ? Math.round(ms) : ms.toFixed(1)} ms`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en-US")} ${number === 1 ? one : many}`;
}

// A name such as pg_advisory_xact_lock keeps its case.
export function sentence(words) {
  return /^\w*_/.test(words) ? `${words}.` : `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

// "A", "A and B", "A, B and C"
export function list(names) {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

export const VERDICTS = {
  double_spend: "Double spend",
  lost_update: "Lost update",
  stale_read: "Stale read",
  clean: "Clean",
};

// Right within one server: a second server has a mutex of its own.
export const ONE_SERVER = "process_mutex";

// "good", "bad", or "limited": nothing went wrong, but only because there is one server.
export function toneOfRace({ verdict, strategies }) {
  return verdict !== "clean" ? "bad" : strategies.every((name) => name === ONE_SERVER) ? "limited" : "good";
}

export function wordsOfRace(race) {
  return toneOfRace(race) === "limited" ? `${VERDICTS.clean} with one server` : VERDICTS[race.verdict];
}

export const LINK_LIFE = "The link works as long as the race is among the newest 1,000 records.";

export const OUTCOMES = {
  running: "under way",
  succeeded: "succeeded",
  refused: "refused",
  failed: "failed",
};

function held(step) {
  return step.blockedBy.length > 0 ? ` (held by ${list(step.blockedBy)})` : "";
}

function waited(step) {
  return step.blockedBy.length > 0 ? `, after waiting ${milliseconds(step.took_us)} for ${list(step.blockedBy)}` : "";
}

function lockWords(lane, step) {
  const value = step.account ? `, reads ${step.account}: ${money(step.value)}` : "";
  return `has the locks after ${milliseconds(step.took_us)}${held(step)}${value}`;
}

function checkWords(lane, step) {
  const enough = step.value >= lane.amount;
  return `checks ${money(step.value)} >= ${money(lane.amount)}: ${enough ? "enough" : "not enough, refused"}`;
}

export function isAtStandby(step) {
  return step.step === "read" && step.outcome === "standby";
}

// Without a transaction each statement has committed on its own, and the record is only the last of them.
export function isCommit(step) {
  return step.outcome !== "recorded";
}

// A commit ends before its answer arrives, so the time until the answer is an upper bound.
function committed(step) {
  return step.committed_at_us > step.at_us ? `, committed within ${milliseconds(step.committed_at_us - step.at_us)}` : "";
}

function writeWords(lane, step, does) {
  const found = step.value + lane.amount;
  const stale = lane.staleWrite === step && lane.valueRead !== null;
  const missed = !stale ? "" : lane.anomaly === "lost_update"
    ? ` (computed from the ${money(lane.valueRead)} it had read: another write is lost)`
    : ` (it had read ${money(lane.valueRead)}, but found ${money(found)})`;
  return `${does} ${money(lane.amount)}: ${step.account} is ${money(step.value)}${missed}${waited(step)}${committed(step)}`;
}

// The sentence says why a reader did not see a write. It names the read and the write in the order in which they were
// made. at(us) formats a moment.
export function missedSentence(miss, at) {
  const wrote = `${money(miss.valueWritten)}${miss.elsewhere ? ` to ${miss.account}` : ""}`;
  if (miss.notReplayed) {
    return `${miss.writer} wrote ${wrote} at ${at(miss.writtenUs)}. ${miss.reader} read ${money(miss.valueRead)} at ` +
      `${at(miss.readUs)} at the standby, which had not replayed that write.`;
  }
  return miss.uncommitted
    ? `${miss.writer} had written ${wrote} at ${at(miss.writtenUs)} but not committed it when ${miss.reader} read ` +
      `${money(miss.valueRead)} at ${at(miss.readUs)}: ${miss.reader} could not see it.`
    : `${miss.reader} read ${money(miss.valueRead)} at ${at(miss.readUs)}. It never saw that ${miss.writer} wrote ` +
      `${wrote} at ${at(miss.writtenUs)}.`;
}

// The same as a label at the line between the read and the write.
export function missedLabel(miss) {
  if (miss.label) {
    return miss.label;
  }
  const wrote = `${shortMoney(miss.valueWritten)}${miss.elsewhere ? ` to ${miss.account}` : ""}`;
  if (miss.notReplayed) {
    return `stale: ${miss.writer} had written ${wrote}, not replayed`;
  }
  return miss.uncommitted ? `stale: ${miss.writer} had written ${wrote}, not committed` : `stale: ${miss.writer} wrote ${wrote} since`;
}

// The same for the guided tour.
export function missedExplanation(miss) {
  const explanation = miss.notReplayed
    ? `Here ${miss.writer} had already written ${money(miss.valueWritten)}, but the standby had not replayed it. So ` +
      `${miss.reader} read ${money(miss.valueRead)} there, and continued with that number.`
    : miss.uncommitted
    ? `Here ${miss.writer} had already written ${money(miss.valueWritten)}, but not committed it. So ${miss.reader} ` +
      `could not see it and read ${money(miss.valueRead)}. It did not look again: it continued with the number it remembered.`
    : `${milliseconds(miss.writtenUs - miss.readUs)} later ${miss.writer} had written ${money(miss.valueWritten)}. ` +
      `${miss.reader} did not look again: it continued with the number it remembered.`;
  return `${explanation} That is the red line, from the read to the write it missed.`;
}

// Why an attempt was lost: its SQLSTATE in words.
const LOSSES = { changed: "the row had changed", 40001: "serialization failure", "40P01": "deadlock" };

function lossOf({ outcome }) {
  return LOSSES[outcome] ?? outcome;
}

export function lostLabel(step) {
  return `${lossOf(step)}: retry`;
}

// The text at the beginning of a wait.
const BEGINNINGS = {
  barrier: () => "waits at the barrier",
  delay: (lane, step) => `sleeps ${milliseconds(step.took_us)} (debug delay)`,
  lock: (lane) => `asks for the row locks of ${lane.from} and ${lane.to}`,
  mutex: () => "asks for the mutex in this process",
  hold: (lane, step) => `keeps ${lane.from} locked until ${step.parties} more wait for it`,
  batch: () => "waits for its batch",
  replay: () => "waits for the standby",
};

const ENDS = {
  read: (lane, step) => `reads ${step.account}${isAtStandby(step) ? " at the standby" : ""}: ${money(step.value)}${waited(step)}`,
  replay: (lane, step) => `finds the standby up to date after ${milliseconds(step.took_us)}`,
  lock: lockWords,
  mutex: (lane, step) => `has the mutex after ${milliseconds(step.took_us)}${held(step)}`,
  batch: (lane, step) => `is in a batch of ${step.parties} after ${milliseconds(step.took_us)}` +
    (step.account ? `, reads ${step.account}: ${money(step.value)}` : ""),
  retry: (lane, step) => `lost against another transfer (${lossOf(step)}), tries again`,
  hold: (lane, step) => `lets go of the row: ${step.outcome}`,
  barrier: (lane, step) => `leaves the barrier: ${step.outcome}`,
  check: checkWords,
  deduct: (lane, step) => writeWords(lane, step, "deducts"),
  credit: (lane, step) => writeWords(lane, step, "adds"),
  commit: (lane, step) => lane.outcome === "refused" ? "ends: refused"
    : isCommit(step) ? "commits" : "done: each statement has committed on its own",
};

// The moments of one step as [{us, text}]; a wait has two.
export function stepWords(lane, step) {
  const moments = [];
  if (BEGINNINGS[step.step]) {
    moments.push({ us: step.at_us - step.took_us, text: BEGINNINGS[step.step](lane, step) });
  }
  if (step.step !== "delay" && ENDS[step.step]) {
    moments.push({ us: step.at_us, text: ENDS[step.step](lane, step) });
  }
  return moments;
}

// One plain sentence about a whole race.
export function verdictSentence(race) {
  const { account, lowestBalance, succeeded, refused, lanes } = race;
  const done = lanes.length === 1 ? "" : [
    succeeded > 0 ? `${succeeded === lanes.length ? (succeeded === 2 ? "both" : "all") : succeeded} succeeded` : "",
    refused > 0 ? `${refused} refused` : "",
  ].filter(Boolean).join(", ");
  const made = race.together?.made > 0 ? `: ${money(race.together.made)} came from nothing` : "";
  const went = succeeded > 0 ? "went down to" : "stayed at";
  const left = lowestBalance === null ? "" : `${account} ${went} ${money(lowestBalance)}${made}`;
  // An account keeps its case.
  const tail = [`${done.charAt(0).toUpperCase()}${done.slice(1)}`, left].filter(Boolean).join("; ");
  return tail === "" ? "No step was recorded" : `${tail}.`;
}

// The money of all accounts of a race, before and after it.
export function togetherSentence({ accounts, before, after, made }, account, lowest) {
  const whose = `${list(accounts)} together`;
  if (made > 0) {
    return `${whose}: ${money(before)} before, ${money(after)} after. ${money(made)} came from nothing.`;
  }
  if (made < 0) {
    return `${whose}: ${money(before)} before, ${money(after)} after. ${money(-made)} is lost.`;
  }
  const debt = lowest < 0 ? `, but ${account} has spent ${money(-lowest)} that it did not have` : "";
  return `${whose}: ${money(before)} before and after. No money was made or lost${debt}.`;
}
