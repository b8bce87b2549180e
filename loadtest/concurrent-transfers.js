// Two transfers of $800 out of $1000 at once, round after round. It measures how often the race happens with the
// current settings: by luck without delay and barrier, mostly with the delay, always with the barrier, and never with
// the fix.
//
//   lab load concurrent-transfers    or    docker compose run --rm lab21-k6 run /scripts/concurrent-transfers.js
//
// The script uses the current settings. If the barrier is on, the script sets its count to two and restores it
// afterwards. It fails if the balance differs from the answers, if a round does not race although the barrier is on, or
// if a round with the fix on has another result than one success and one refusal.

import { check } from 'k6';
import { Rate } from 'k6/metrics';
import { balance, prepare, quick, reset, restore, settings, thresholds, transfers } from './lib/bank.js';

const raced = new Rate('rounds_raced');

export const options = {
  scenarios: {
    rounds: { executor: 'per-vu-iterations', vus: 1, iterations: quick ? 3 : 20, maxDuration: '10m' },
  },
  thresholds: { ...thresholds, transfers_succeeded: ['count>=1'], rounds_raced: ['rate>=0'] },
};

export function setup() {
  return prepare(settings().barrier_enabled ? { barrier_count: 2 } : {});
}

export default function ({ set }) {
  reset();
  const pair = transfers(['alice', 'bob', 800], ['alice', 'charlie', 800]);
  const successes = pair.filter((each) => each.success).length;
  const left = balance('alice');
  raced.add(left < 0);
  check(pair, {
    'the balance is what the answers say': () => left === 1000 - 800 * successes,
    'with the fix, one succeeds and one is refused': () => !set.use_transactions || successes === 1,
    'with the barrier and no fix, both succeed': () =>
      set.use_transactions || !set.barrier_enabled || successes === 2,
  });
}

export const teardown = restore;
