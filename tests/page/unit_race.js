// A race as the server tells it, for the unit tests: two transfers of $800 out of $1000, in milliseconds from its start.

export const START_US = Date.parse("2026-01-31T12:34:56Z") * 1000;

export function step(name, at, took = 0, rest = {}) {
  return { step: name, at_us: START_US + at * 1000, took_us: took * 1000, ...rest };
}

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
          step("commit", 204.6),
        ],
      }),
      transfer("first", "bob", {
        steps: [
          step("read", 1.2, 0.4, { account: "alice", value: 1000 }), step("barrier", 1.3, 0.1, { parties: 2, outcome: "released" }),
          step("delay", 201.2, 200), step("check", 201.2, 0, { account: "alice", value: 1000 }),
          step("deduct", 202.9, 1, { account: "alice", value: 200 }), step("credit", 203.9, 0.5, { account: "bob", value: 1300 }),
          step("commit", 203.9),
        ],
      }),
    ],
    missed_writes: [{
      reader: "second", read_at_us: START_US + 500, value_read: 1000, writer: "first", written_at_us: START_US + 202900,
      value_written: 200,
    }],
  };
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
          step("check", 405.6, 0, { account: "alice", value: 200 }), step("commit", 405.7),
        ],
        blocked_by: [{ step: "lock", transfer_id: "winner", from_us: START_US + 500, to_us: START_US + 205500 }],
      }),
      transfer("winner", "bob", {
        strategy: "for_update",
        steps: [
          step("barrier", 0.4, 0.1, { parties: 2, outcome: "released" }),
          step("lock", 1, 0.5, { account: "alice", value: 1000 }), step("delay", 201, 200),
          step("check", 201, 0, { account: "alice", value: 1000 }), step("deduct", 203, 1, { account: "alice", value: 200 }),
          step("credit", 203, 0, { account: "bob", value: 1300 }), step("commit", 204),
        ],
      }),
    ],
    missed_writes: [],
  };
}
