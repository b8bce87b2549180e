// The bank's and the pool's limits, in one place. The HTTP limits stand in server/http_limits.h.
#ifndef WORKERS_LIMITS_H
#define WORKERS_LIMITS_H

#include <assert.h>

// Account ids: bytes of UTF-8. The accounts table has the same bound.
#define ACCOUNT_ID_MAX 64

// Money, in cents: an amount of up to 1e12 in the major unit, as numeric(15,2) holds with room for sums.
#define TRANSFER_AMOUNT_MAX_CENTS INT64_C(100000000000000)
#define TRANSFER_ID_LENGTH 8

// The pool. libuv reads UV_THREADPOOL_SIZE once and clamps it to 1024 without a word, so we check it ourselves.
#define WORKER_THREADS_MIN 4
#define WORKER_THREADS_MAX 512
#define WORKER_THREADS_DEFAULT 32
// One worker in eight, at least one, is the reserve: transfers do not run there. The other kinds of work share it, and
// each of them has a thread of its own besides (job.h), so the pool has more threads than WORKER_THREADS.
#define WORKER_RESERVE(threads) ((threads) / 8 > 0 ? (threads) / 8 : 1)
// clang-format off
#define TRANSFER_SLOTS(threads) ((threads) - WORKER_RESERVE(threads))
// clang-format on
// There is one batch at a time: two would wait for each other's rows (docs/benchmarks). A batch waits this long for a row
// that another session holds; then its accounts go on one by one, each on a slot of its own, in half of the slots at most.
#define BATCH_LOCK_TIMEOUT_MS 20
#define BATCH_ALONE_MAX(slots) ((slots) / 2)
#define TRANSFER_QUEUE_LIMIT_MIN 1
#define TRANSFER_QUEUE_LIMIT_MAX 100000
#define TRANSFER_QUEUE_LIMIT_DEFAULT 1024
#define JOB_QUEUE_LIMIT 1024 // of each other kind: jobs that may wait for a thread

// The gates.
#define BARRIER_COUNT_MIN 2
#define BARRIER_COUNT_DEFAULT 2
#define BARRIER_TIMEOUT_MS_MIN 1
#define BARRIER_TIMEOUT_MS_MAX 600000
#define BARRIER_TIMEOUT_MS_DEFAULT 30000
#define HOLD_PAUSE_MAX_MS 16 // between two looks at who waits behind a row
#define DELAY_MS_MAX 60000
#define DELAY_MS_DEFAULT 100

// The database. A racer may wait for a lock whose holder sleeps the longest debug delay, twice over.
#define DATABASE_CONNECT_TIMEOUT_MS 5000
#define DATABASE_LOCK_TIMEOUT_MS 150000
#define DATABASE_STATEMENT_TIMEOUT_MS 180000
#define DATABASE_ANSWER_TIMEOUT_MS 190000
// All of a transfer: its gates, its waits for locks, and every attempt.
#define TRANSFER_TIMEOUT_MS 3600000
#define DATABASE_WATCH_INTERVAL_MS 1000
#define DATABASE_WATCH_TIMEOUT_MS 3000
#define SCHEMA_TIMEOUT_MS 120000 // to make or alter the tables: a long log is read once
#define SCRAPE_TIMEOUT_MS 1000   // for the balances on /metrics: a scraper waits a second or two for the whole page
#define SCRAPE_STATEMENT_TIMEOUT_MS                                                                                    \
    450 // a scrape reads twice; PostgreSQL must end a slow statement before we give up on it

// A transaction that lost against another (40001, 40P01) is tried again, each time after a longer, jittered pause.
#define TRANSFER_ATTEMPTS_MAX 12
#define TRANSFER_BACKOFF_FIRST_US 500
#define TRANSFER_BACKOFF_MAX_US 64000

// What one job can record of itself; what comes beyond is counted, not kept.
#define JOB_STATEMENTS_MAX 48
#define TRANSFER_STEPS_MAX 64

#define TRANSACTIONS_LIMIT_MAX 1000
#define TRANSACTIONS_LIMIT_DEFAULT 20
#define ACCOUNT_GAUGES_MAX 100
#define AUDIT_VIOLATIONS_MAX 100
#define RACES_LIMIT_MAX 100
#define RACES_LIMIT_DEFAULT 20
#define RACE_IDS_MAX 12        // of a race's transfers that its line names
#define RACE_STRATEGIES_MAX 12 // likewise
#define RACE_TRANSFERS_MAX 64  // of one race that are told in full

// Steps and arrivals at the barrier on their way to the loop; what comes beyond is told at the transfer's end.
#define FEED_EVENTS_MAX 4096

static_assert(TRANSFER_SLOTS(WORKER_THREADS_MIN) >= BARRIER_COUNT_MIN, "the smallest pool must hold the smallest race");
static_assert(DATABASE_LOCK_TIMEOUT_MS > 2 * DELAY_MS_MAX, "a racer must outlast the delay of the lock's holder");
static_assert(DATABASE_STATEMENT_TIMEOUT_MS > DATABASE_LOCK_TIMEOUT_MS, "the lock's timeout must speak first");
static_assert(SCRAPE_TIMEOUT_MS > 2 * SCRAPE_STATEMENT_TIMEOUT_MS, "the server's timeouts must speak first");
static_assert(DATABASE_ANSWER_TIMEOUT_MS > DATABASE_STATEMENT_TIMEOUT_MS, "the server's timeouts must speak first");

#endif
