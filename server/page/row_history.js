// The contested row of a race: its versions, and which transfer saw which of them. A write makes a version, and the
// commit of the write makes it visible to others. Pure.
//
// A record does not have the moment of every commit (docs/architecture.md). Then the record's own end stands for it,
// within what is certain: a stale reader has read before the commit, and the next writer of the row waits for it.

const READS = new Set(["read", "lock", "batch"]);

function attempt(lane) {
  return lane.steps.slice(lane.steps.findLastIndex(({ step }) => step === "retry") + 1);
}

// The deducts that were not rolled back, in the order in which they were made.
function writesOf(race) {
  return race.lanes.filter((lane) => lane.outcome !== "refused").flatMap((lane) => {
    const steps = attempt(lane);
    const end = steps.find(({ step }) => step === "commit");
    return steps.filter(({ step, account }) => step === "deduct" && account === race.account)
      .filter((step) => lane.outcome !== "failed" || step.committed_at_us)
      .map((step) => ({
        lane, value: step.value, writtenUs: step.at_us,
        committedUs: step.committed_at_us ?? end?.at_us ?? Infinity, isRecorded: step.committed_at_us > 0,
        overwrites: step === lane.staleWrite && lane.anomaly === "lost_update",
      }));
  }).sort((one, other) => one.writtenUs - other.writtenUs || one.lane.seq - other.lane.seq || other.value - one.value);
}

// The moments at which a transfer saw the row, in its last attempt. A statement that writes may also have read, and a
// transfer that was refused without a read has looked at the row for its check.
function looksOf(race, lane) {
  const steps = attempt(lane);
  const looks = steps.filter(({ step, account }) => READS.has(step) && account === race.account);
  const first = looks[0] ?? steps.find(({ step }) => step === "check");
  if (looks.length === 0 && lane.snapshotUs !== null) {
    return [{ lane, us: lane.snapshotUs, value: lane.balanceBefore }];
  }
  return first && first.account === race.account ? [{ lane, us: first.at_us, value: first.value }] : [];
}

function chain(writes) {
  const versions = [];
  for (const { lane, value, writtenUs, committedUs, isRecorded, overwrites } of writes) {
    const found = value + lane.amount;
    const before = versions.at(-1)?.value;
    if (before === undefined || (!overwrites && Math.abs(found - before) > 0.001)) { // another client has written
      const since = before === undefined ? -Infinity : writtenUs;
      versions.push({ value: found, letter: null, writtenUs: since, visibleUs: since });
    }
    versions.push({ value, letter: lane.letter, writtenUs, visibleUs: Math.max(writtenUs, committedUs), isRecorded });
  }
  return versions;
}

// Moves the commits to where they certainly were.
function bound(versions, race, looks) {
  for (const [index, version] of versions.entries()) {
    const missed = race.missed.filter((miss) => miss.writer === version.letter && !miss.elsewhere);
    const seen = looks.filter(({ lane, us, value }) => lane.letter !== version.letter && value === version.value &&
      us > version.writtenUs && value !== versions[index - 1]?.value);
    const latest = Math.min(versions[index + 1]?.writtenUs ?? Infinity, ...seen.map(({ us }) => us));
    const earliest = Math.max(version.writtenUs, ...missed.map(({ readUs }) => readUs + 1));
    // The next writer continues as soon as it has the row, so its write is close to the commit that it waited for.
    version.visibleUs = !version.isRecorded && version.visibleUs < earliest && latest < Infinity ? Math.max(earliest, latest)
      : Math.max(earliest, Math.min(version.visibleUs, latest));
  }
}

function versionSeen(versions, race, { lane, us, value }) {
  const miss = race.missed.find((each) => each.reader === lane.letter && !each.elsewhere);
  if (miss) {
    return versions.findIndex(({ letter }) => letter === miss.writer) - 1;
  }
  const same = versions.findLastIndex((version) => version.value === value && version.writtenUs <= us && version.letter !== lane.letter);
  return same >= 0 ? same : versions.findLastIndex(({ visibleUs }) => visibleUs <= us);
}

// Returns the versions, oldest first: {value, letter, writtenUs, visibleUs, seenBy: [{letter, us}]}. The first one has
// no letter. Without any sight of the row the list is empty.
export function rowVersions(race) {
  const looks = race.lanes.flatMap((lane) => looksOf(race, lane));
  let versions = chain(writesOf(race));
  if (versions.length === 0) {
    const values = new Set(looks.map(({ value }) => value));
    versions = [...values].slice(0, 1).map((value) => ({ value, letter: null, writtenUs: -Infinity, visibleUs: -Infinity }));
  }
  bound(versions, race, looks);
  versions.forEach((version) => { version.seenBy = []; });
  for (const look of looks) {
    versions[versionSeen(versions, race, look)]?.seenBy.push({ letter: look.lane.letter, us: look.us });
  }
  return versions;
}

// The edges between the transfers of a race, as explore_graph.js draws them: who must come before whom in a serial
// order with the same reads and writes.
function edgesOf(versions, account) {
  const edges = new Map();
  const add = (kind, from, to) => {
    if (from !== null && to !== null && from !== to) {
      const edge = { kind, from, to, from_step: from, to_step: to, table: "accounts", row: account, in_cycle: false };
      edges.set(`${kind} ${from} ${to}`, edge);
    }
  };
  versions.forEach((version, index) => {
    const next = versions[index + 1]?.letter ?? null;
    for (const { letter } of version.seenBy) {
      add("wr", version.letter, letter);
      add("rw", letter, next);
    }
    add("ww", version.letter, next);
  });
  return [...edges.values()];
}

// The shortest cycle as a list of letters, or an empty list.
function cycleOf(edges) {
  let shortest = [];
  const walk = (path) => {
    for (const { from, to } of edges) {
      if (from !== path.at(-1)) {
        continue;
      }
      if (to === path[0] && (shortest.length === 0 || path.length < shortest.length)) {
        shortest = path;
      } else if (!path.includes(to) && path.length < 4) {
        walk([...path, to]);
      }
    }
  };
  new Set(edges.map(({ from }) => from)).forEach((letter) => walk([letter]));
  return shortest;
}

// The conflict graph of a race: {edges, cycle}. Where there is a cycle of a larger crowd, only its transfers stay.
export function conflictGraph(versions, account) {
  let edges = edgesOf(versions, account);
  const cycle = cycleOf(edges);
  if (cycle.length > 0) {
    edges = edges.filter(({ from, to }) => cycle.includes(from) && cycle.includes(to));
    edges.forEach((edge) => {
      edge.in_cycle = cycle[(cycle.indexOf(edge.from) + 1) % cycle.length] === edge.to;
    });
  }
  return { edges, cycle };
}

// Moves the end of each transaction to the commit of its version, where the record's own end is too early.
export function commitsOf(versions, lanes) {
  for (const lane of lanes) {
    const version = versions.find(({ letter }) => letter === lane.letter);
    const end = lane.transaction && version && lane.steps.findLast(({ step }) => step === "commit");
    if (end && version.visibleUs > end.at_us && version.visibleUs < Infinity) {
      end.at_us = version.visibleUs;
    }
  }
}

// The money of the accounts of a race before and after it, or null while it is not known.
export function moneyTogether(race, versions) {
  if (!race.finished || race.undrawn > 0 || versions.length === 0 || race.lanes.some(({ outcome }) => outcome === "failed")) {
    return null;
  }
  const accounts = new Map([[race.account, { before: versions[0].value, after: versions.at(-1).value }]]);
  for (const { to, targetBefore } of race.lanes.filter(({ outcome }) => outcome === "refused")) {
    accounts.set(to, { before: targetBefore, after: targetBefore });
  }
  const credits = race.lanes.filter(({ outcome }) => outcome === "succeeded").flatMap((lane) => attempt(lane)
    .filter(({ step }) => step === "credit").map((step) => ({ ...step, amount: lane.amount, seq: lane.seq })))
    .sort((one, other) => one.at_us - other.at_us || one.seq - other.seq || one.value - other.value);
  const credited = new Map();
  for (const { account, value, amount } of credits) {
    credited.set(account, { before: credited.get(account)?.before ?? value - amount, after: value });
  }
  credited.forEach((each, account) => accounts.set(account, each));
  const sum = (key) => Math.round([...accounts.values()].reduce((whole, each) => whole + each[key], 0) * 100) / 100;
  const [before, after] = [sum("before"), sum("after")];
  return { accounts: [...accounts.keys()].sort(), before, after, made: Math.round((after - before) * 100) / 100 };
}
