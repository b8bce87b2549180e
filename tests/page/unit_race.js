// A race in the server's format, for the unit tests: two transfers of $800 out of $1000, in milliseconds from its
// start.

export const START_US = Date.parse("2026-01-31T12:34:56Z") * 1000;

export function step(name, at, took = 0, rest = {}) {
  return { step: name, at_us: START_US + at * 1000, took_us: took * 1000, ...rest };
}

function line(text, steps, pauses = []) {
  return { line: text, steps, pauses };
}

const CREDIT = line("UPDATE accounts SET balance = balance + :amount WHERE id = :to;", ["credit"]);

// As GET /strategies has them.
export const STRATEGIES = [
  {
    name: "vulnerable", safe: false, sketch: [
      line("SELECT balance FROM accounts WHERE id = :from;", ["read"]),
      line("-- refuse if balance < :amount", ["check"], ["barrier", "delay"]),
      line("UPDATE accounts SET balance = balance - :amount WHERE id = :from;", ["deduct"]), CREDIT,
      line("INSERT INTO transfers VALUES (...);", ["commit", "retry"]),
    ],
  },
  {
    name: "for_update", safe: true, sketch: [
      line("BEGIN;", [], ["barrier"]),
      line("SELECT balance FROM accounts WHERE id = :from FOR UPDATE;", ["lock"]),
      line("-- refuse if balance < :amount", ["check"], ["delay"]),
      line("UPDATE accounts SET balance = balance - :amount WHERE id = :from;", ["deduct"]), CREDIT,
      line("COMMIT;", ["commit", "retry"]),
    ],
  },
  {
    name: "cte_snapshot", safe: false, sketch: [
      line("BEGIN;", [], ["barrier", "delay"]),
      line("WITH seen AS (SELECT balance FROM accounts WHERE id = :from) UPDATE accounts SET balance = seen.balance - :amount", ["deduct"]),
      line("-- refuse if no row was changed", ["check", "retry"]), CREDIT, line("COMMIT;", ["commit"], ["hold"]),
    ],
  },
];

function transfer(id, to, rest) {
  return {
    id, timestamp: "2026-01-31T12:34:56.000000Z", from_account: "alice", to_account: to, amount: 800,
    from_balance_before: 1000, status: "success", strategy: "vulnerable", race_detected: false, anomaly: null,
    trace_url: null, blocked_by: [], ...rest,
  };
}

export function doubleSpend() {
  return {
    race: {
      id: "second", transfer_ids: ["second", "first"], transfer_count: 2, account: "alice", at: "2026-01-31T12:34:56Z",
      strategies: ["vulnerable"], verdict: "double_spend", lowest_balance: -600, succeeded: 2, refused: 0,
    },
    transfers: [
      transfer("second", "charlie", {
        race_detected: true, anomaly: "double_spend",
        steps: [
          step("read", 0.5, 0.5, { account: "alice", value: 1000 }), step("barrier", 1.3, 0.8, { parties: 2, outcome: "released" }),
          step("delay", 201.3, 200), step("check", 201.4, 0, { account: "alice", value: 1000 }),
          step("deduct", 204, 1, { account: "alice", value: -600 }), step("credit", 204.6, 0.5, { account: "charlie", value: 1000 }),
          step("commit", 204.6, 0, { outcome: "recorded" }),
        ],
      }),
      transfer("first", "bob", {
        steps: [
          step("read", 1.2, 0.4, { account: "alice", value: 1000 }), step("barrier", 1.3, 0.1, { parties: 2, outcome: "released" }),
          step("delay", 201.2, 200), step("check", 201.2, 0, { account: "alice", value: 1000 }),
          step("deduct", 202.9, 1, { account: "alice", value: 200, committed_at_us: START_US + 203300 }), step("credit", 203.9, 0.5, { account: "bob", value: 1300 }),
          step("commit", 203.9, 0, { outcome: "recorded" }),
        ],
      }),
    ],
    missed_writes: [{
      reader: "second", read_at_us: START_US + 500, value_read: 1000, writer: "first", written_at_us: START_US + 202900,
      value_written: 200, account: "alice", committed_by_us: START_US + 203300, uncommitted_at_read: false,
    }],
  };
}

// No barrier: the second reads after the first has written $200, and before that is committed.
export function uncommittedWrite() {
  const race = doubleSpend();
  const [second, first] = race.transfers;
  first.steps = [
    step("read", 0.5, 0.4, { account: "alice", value: 1000 }), step("check", 0.6, 0, { account: "alice", value: 1000 }),
    step("deduct", 1, 0.3, { account: "alice", value: 200, committed_at_us: START_US + 5000 }),
    step("credit", 5.4, 0.3, { account: "bob", value: 1300, committed_at_us: START_US + 9000 }),
    step("commit", 9.1, 0.1, { outcome: "recorded" }),
  ];
  second.steps = [
    step("read", 1.7, 0.2, { account: "alice", value: 1000 }), step("check", 1.8, 0, { account: "alice", value: 1000 }),
    step("deduct", 5.1, 3.2, { account: "alice", value: -600, committed_at_us: START_US + 9200 }),
    step("credit", 9.5, 0.3, { account: "charlie", value: 1000, committed_at_us: START_US + 13000 }),
    step("commit", 13.1, 0.1, { outcome: "recorded" }),
  ];
  race.missed_writes = [{
    reader: "second", read_at_us: START_US + 1700, value_read: 1000, writer: "first", written_at_us: START_US + 1000,
    value_written: 200, account: "alice", committed_by_us: START_US + 5000, uncommitted_at_read: true,
  }];
  return race;
}

export function underTheFix() {
  return {
    race: {
      id: "waiter", transfer_ids: ["waiter", "winner"], transfer_count: 2, account: "alice", at: "2026-01-31T12:34:56Z",
      strategies: ["for_update"], verdict: "clean", lowest_balance: 200, succeeded: 1, refused: 1,
    },
    transfers: [
      transfer("waiter", "charlie", {
        strategy: "for_update", status: "failed_insufficient_funds",
        steps: [
          step("barrier", 0.4, 0.4, { parties: 2, outcome: "released" }),
          step("lock", 205.5, 205, { account: "alice", value: 200 }), step("delay", 405.6, 200),
          step("check", 405.6, 0, { account: "alice", value: 200 }), step("commit", 405.7, 0, { outcome: "committed" }),
        ],
        blocked_by: [{ step: "lock", transfer_id: "winner", from_us: START_US + 500, to_us: START_US + 205500 }],
      }),
      transfer("winner", "bob", {
        strategy: "for_update",
        steps: [
          step("barrier", 0.4, 0.1, { parties: 2, outcome: "released" }),
          step("lock", 1, 0.5, { account: "alice", value: 1000 }), step("delay", 201, 200),
          step("check", 201, 0, { account: "alice", value: 1000 }), step("deduct", 203, 1, { account: "alice", value: 200 }),
          step("credit", 203, 0, { account: "bob", value: 1300 }), step("commit", 204, 0, { outcome: "committed" }),
        ],
      }),
    ],
    missed_writes: [],
  };
}

// Both statements have begun before one of them commits, and the second overwrites the first.
export function lostUpdate() {
  const race = doubleSpend();
  const [second, first] = race.transfers;
  Object.assign(race.race, { strategies: ["cte_snapshot"], verdict: "lost_update", lowest_balance: 200 });
  Object.assign(first, {
    strategy: "cte_snapshot",
    steps: [
      step("deduct", 2, 1, { account: "alice", value: 200 }), step("credit", 2, 0, { account: "bob", value: 1300 }),
      step("hold", 4, 2, { parties: 1, outcome: "released" }), step("commit", 4.1, 0, { outcome: "committed" }),
    ],
  });
  Object.assign(second, {
    strategy: "cte_snapshot", anomaly: "lost_update",
    steps: [
      step("deduct", 5, 3.5, { account: "alice", value: 200 }), step("credit", 5, 0, { account: "charlie", value: 1000 }),
      step("hold", 6, 0.9, { parties: 1, outcome: "no rivals" }), step("commit", 6.1, 0, { outcome: "committed" }),
    ],
    blocked_by: [{ step: "deduct", transfer_id: "first", from_us: START_US + 2000, to_us: START_US + 5000 }],
  });
  race.missed_writes = [{
    reader: "second", read_at_us: START_US + 1500, value_read: 1000, writer: "first", written_at_us: START_US + 2000,
    value_written: 200, account: "alice", committed_by_us: START_US + 5000, uncommitted_at_read: false,
  }];
  return race;
}
