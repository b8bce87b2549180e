// Up to 10 clients move $100 from Alice to Bob, again and again.
//
// What an ordinary load looks like on the dashboard. Alice has $1000, so soon most transfers are refused. That is as
// it should be; on a vulnerable bank some come through that should not, and Alice ends below zero.
//
//   lab load basic        or        docker compose run --rm lab21-k6 run /scripts/basic.js
//
// The delay and the fix stay as they are found. The barrier is off meanwhile: parties that no partner comes for would
// stand at it until its time is over. The balances stay as the load has left them. Fails if a transfer is neither
// done nor refused, if money is made or lost, or if Alice overdraws although the fix is on.

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
