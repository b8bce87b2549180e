// Up to 10 clients move $100 from Alice to Bob, again and again. This shows an ordinary load on the dashboard. Alice
// has $1000, so most transfers are refused soon. This is correct. On a vulnerable bank some transfers succeed that
// should be refused, and Alice ends below zero.
//
//   lab load basic        or        docker compose run --rm lab21-k6 run /scripts/basic.js
//
// The script keeps the delay and the fix. It switches the barrier off meanwhile, because a transfer without a partner
// would wait at the barrier until its timeout. It does not reset the balances at the end. It fails if a transfer is
// neither done nor refused, if money is made or lost, or if Alice overdraws although the fix is on.

import { check, sleep } from 'k6';
import { balance, prepare, quick, restore, thresholds, transfer } from './lib/bank.js';

const stages = [
  { duration: quick ? '1s' : '10s', target: 10 },
  { duration: quick ? '1s' : '20s', target: 10 },
  { duration: quick ? '1s' : '10s', target: 0 },
];

export const options = {
  scenarios: { basic: { executor: 'ramping-vus', startVUs: 1, stages } },
  thresholds: { ...thresholds, transfers_succeeded: ['count>=1'] },
};

export const setup = () => prepare({ barrier_enabled: false });

export default function () {
  transfer('alice', 'bob', 100);
  sleep(0.1 + Math.random() * 0.2);
}

export function teardown(before) {
  const left = balance('alice');
  check(left, { 'with the fix on, Alice is not below zero': () => !before.set.use_transactions || left >= 0 });
  restore(before);
}
