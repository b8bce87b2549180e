// The same load without the fix and with it, and one table of both. It shows the effect of the fix, and its cost. Ten
// clients send $400 around between Alice, Bob and Charlie, with a delay that keeps the window open.
//
//   lab load fix-comparison        or        docker compose run --rm lab21-k6 run /scripts/fix-comparison.js
//
// The script sets delay, barrier and the fix itself, and restores the settings afterwards. It fails if the vulnerable
// bank shows no double spend (then this load would prove nothing), or if the safe bank shows any.

import exec from 'k6/execution';
import { check } from 'k6';
import { change, money, prepare, quick, reset, restore, thresholds, transfer } from './lib/bank.js';

const clients = 10;
const seconds = quick ? 2 : 15;
const pause = 2; // the last transfers of one half end, and the accounts are reset for the other
const circle = ['alice', 'bob', 'charlie'];

const half = (mode, start) => ({
  executor: 'constant-vus', exec: 'load', vus: clients,
  duration: `${seconds}s`, startTime: `${start}s`, gracefulStop: `${pause}s`, tags: { mode },
});

export const options = {
  scenarios: {
    vulnerable: half('vulnerable', 0),
    fix: {
      executor: 'per-vu-iterations', exec: 'applyTheFix', vus: 1, iterations: 1,
      startTime: `${seconds + pause}s`, maxDuration: `${pause}s`,
    },
    safe: half('safe', seconds + 2 * pause),
  },
  // k6 keeps a metric by mode only if a threshold asks for it; some of these thresholds always hold for that reason.
  thresholds: {
    ...thresholds,
    'double_spends{mode:vulnerable}': ['count>0'],
    'stale_reads{mode:vulnerable}': ['count>0'],
    'double_spends{mode:safe}': ['count==0'],
    'stale_reads{mode:safe}': ['count==0'],
    'balance_left{mode:vulnerable}': ['max>=0'],
    'balance_left{mode:safe}': ['min>=0'],
    'transfers_succeeded{mode:vulnerable}': ['count>0'],
    'transfers_succeeded{mode:safe}': ['count>0'],
    'transfers_refused{mode:vulnerable}': ['count>=0'],
    'transfers_refused{mode:safe}': ['count>=0'],
    'transfer_time{mode:vulnerable}': ['max>=0'],
    'transfer_time{mode:safe}': ['max>=0'],
  },
};

export const setup = () => prepare({
  use_transactions: false, barrier_enabled: false, delay_enabled: true, delay_ms: 50,
});

export function load() {
  const turn = exec.vu.idInInstance + exec.vu.iterationInScenario;
  transfer(circle[turn % 3], circle[(turn + 1) % 3], 400);
}

export function applyTheFix(before) {
  check(money(), { 'no money was made or lost': (cents) => cents === before.money });
  change({ use_transactions: true });
  reset();
}

export const teardown = restore;

// The table

const whole = (value) => value.toFixed(0);
const rate = (value) => (value / seconds).toFixed(1);
const duration = (value) => `${value.toFixed(1)} ms`;
const dollars = (value) => `${value < 0 ? '-' : ''}$${Math.abs(value).toFixed(2)}`;

const rows = [
  ['transfers done', 'transfers_succeeded', 'count', whole],
  ['done a second', 'transfers_succeeded', 'count', rate],
  ['refused', 'transfers_refused', 'count', whole],
  ['stale reads acted on', 'stale_reads', 'count', whole],
  ['double spends', 'double_spends', 'count', whole],
  ['lowest balance left', 'balance_left', 'min', dollars],
  ['time, median', 'transfer_time', 'med', duration],
  ['time, 95 of 100 within', 'transfer_time', 'p(95)', duration],
];

const line = (what, vulnerable, safe) => `  ${what.padEnd(24)}${vulnerable.padStart(14)}${safe.padStart(14)}`;

function crossed(metrics) {
  return Object.entries(metrics).flatMap(([name, metric]) =>
    Object.entries(metric.thresholds || {}).filter(([, each]) => !each.ok).map(([rule]) => `${name}: ${rule}`));
}

export function handleSummary({ metrics }) {
  const cell = (metric, mode, key, show) => {
    const found = metrics[`${metric}{mode:${mode}}`];
    return found && found.values[key] !== undefined ? show(found.values[key]) : '-';
  };
  const table = rows.map(([what, metric, key, show]) =>
    line(what, cell(metric, 'vulnerable', key, show), cell(metric, 'safe', key, show)));
  const wrong = crossed(metrics);
  return {
    stdout: [
      '',
      `The same load (${clients} clients, ${seconds} s each, a delay of 50 ms) without the fix and with it:`,
      '',
      line('', 'vulnerable', 'safe'),
      ...table,
      '',
      wrong.length ? `WRONG: ${wrong.join(', ')}` : 'As it must: the race is there without the fix, and gone with it.',
      '',
      '',
    ].join('\n'),
  };
}
