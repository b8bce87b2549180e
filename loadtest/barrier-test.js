// Proves the race: two transfers of $800 out of $1000, both held at a barrier. Each has read the balance before either
// continues. Both succeed, and Alice is at -$600: not likely, but certain.
//
//   lab load barrier-test        or        docker compose run --rm lab21-k6 run /scripts/barrier-test.js
//
// The script sets the barrier and the delay itself, and restores the settings and balances afterwards. It does not
// change the fix: on a bank with the fix on, the race cannot happen, and THIS RUN FAILS (exit status 99). Run it both
// ways. MODE=vulnerable or MODE=safe sets the fix for this run: with safe the run fails on purpose.

import exec from 'k6/execution';
import { check } from 'k6';
import { balance, prepare, reset, restore, thresholds, transfer } from './lib/bank.js';

const modes = { vulnerable: { use_transactions: false }, safe: { use_transactions: true } };
const mode = __ENV.MODE ? modes[__ENV.MODE] : {};
if (!mode) {
  throw new Error(`MODE is vulnerable or safe, not ${__ENV.MODE}`);
}

export const options = {
  scenarios: { race: { executor: 'per-vu-iterations', vus: 2, iterations: 1, maxDuration: '60s' } },
  thresholds: {
    ...thresholds,
    transfers_succeeded: ['count==2'],
    stale_reads: ['count==1'],
    double_spends: ['count==1'],
  },
};

export const setup = () => prepare({
  barrier_enabled: true, barrier_count: 2, delay_enabled: true, delay_ms: 100, ...mode,
});

export default function () {
  const target = exec.vu.idInTest === 1 ? 'bob' : 'charlie';
  const { success, record } = transfer('alice', target, 800);
  check(record, {
    'it read $1000': () => record.from_balance_before === 1000,
    'it succeeded': () => success,
  });
}

export function teardown(before) {
  check(balance('alice'), { 'Alice is at -$600': (left) => left === -600 });
  restore(before);
  reset();
}
