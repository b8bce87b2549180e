// The parts that the load tests share: the calls of the bank API, the common metrics, and the restore of the lab's
// state.
//
// Environment: BASE_URL (default http://localhost:8000), ADMIN_TOKEN where the lab has one, QUICK=1 for a run of
// seconds.
//
// A refused transfer is a normal answer (HTTP 200, status failed_insufficient_funds): it is counted, and no fault. An
// answer that is neither a success nor a refusal is broken, and fails every script.

import http from 'k6/http';
import { check, fail } from 'k6';
import { Counter, Trend } from 'k6/metrics';

const baseUrl = (__ENV.BASE_URL || 'http://localhost:8000').replace(/\/+$/, '');
const headers = { 'Content-Type': 'application/json' };
if (__ENV.ADMIN_TOKEN) {
  headers.Authorization = `Bearer ${__ENV.ADMIN_TOKEN}`;
}

export const quick = !['', '0', undefined].includes(__ENV.QUICK);

const succeeded = new Counter('transfers_succeeded');
const refused = new Counter('transfers_refused');
const broken = new Counter('transfers_broken');
const staleReads = new Counter('stale_reads');
const doubleSpends = new Counter('double_spends');
const balanceLeft = new Trend('balance_left');
const transferTime = new Trend('transfer_time', true);

// Every script fails without these.
export const thresholds = {
  checks: ['rate==1'],
  http_req_failed: ['rate==0'],
  transfers_broken: ['count==0'],
};

// Calls

function ask(method, path, body) {
  const answer = http.request(method, baseUrl + path, body ? JSON.stringify(body) : null, {
    headers,
    tags: { name: `${method} ${path.replace(/^(\/accounts)\/.*/, '$1/{id}')}` },
  });
  if (answer.status !== 200) {
    fail(`${method} ${baseUrl}${path}: ${answer.status ? `HTTP ${answer.status} ${answer.body}` : answer.error}`);
  }
  return answer.json();
}

export const reset = () => ask('POST', '/reset');
export const settings = () => ask('GET', '/admin/settings');
export const change = (wanted) => ask('POST', '/admin/settings', wanted);
export const balance = (account) => ask('GET', `/accounts/${account}`).balance;

// The sum of all balances: transfers only move money, even when they race. In cents, because 0.1 + 0.2 is not 0.3.
export function money() {
  return ask('GET', '/accounts').accounts.reduce((sum, account) => sum + Math.round(account.balance * 100), 0);
}

// Transfers

function request(from, to, amount) {
  const body = JSON.stringify({ from_account: from, to_account: to, amount });
  return ['POST', `${baseUrl}/transfer`, body, { headers, timeout: '60s', tags: { name: 'POST /transfer' } }];
}

function judge(answer) {
  const record = answer.status === 200 ? answer.json() : {};
  const success = record.status === 'success';
  const refusal = record.status === 'failed_insufficient_funds';
  check(answer, { 'a transfer succeeds or is refused': () => success || refusal });

  // Adds zeros too: a metric without a sample is missing from the summary, and its threshold is not evaluated.
  succeeded.add(success ? 1 : 0);
  refused.add(refusal ? 1 : 0);
  broken.add(success || refusal ? 0 : 1);
  staleReads.add(record.race_detected ? 1 : 0);
  doubleSpends.add(success && record.from_balance_after < 0 ? 1 : 0);
  transferTime.add(answer.timings.duration);
  if (success || refusal) {
    balanceLeft.add(record.from_balance_after);
  }
  return { success, refusal, record };
}

export const transfer = (from, to, amount) => judge(http.request(...request(from, to, amount)));

// Sends several transfers at once, each [from, to, amount].
export const transfers = (...wanted) => http.batch(wanted.map((each) => request(...each))).map(judge);

// Before and after

// For setup(): sets the initial balances and the settings that the script needs. It returns the earlier settings.
export function prepare(wanted) {
  const found = settings();
  const set = change(wanted);
  reset();
  return { found, set, money: money() };
}

// For teardown(): checks that no money was made or lost, and then restores the settings.
export function restore(before) {
  const after = money();
  change(before.found);
  check(after, { 'no money was made or lost': (cents) => cents === before.money });
}
