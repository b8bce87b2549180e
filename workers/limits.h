// The limits of the bank and of the worker pool. server/http/http_limits.h has the limits of HTTP.
#ifndef WORKERS_LIMITS_H
#define WORKERS_LIMITS_H

#include <assert.h>

// A database holds an account id in its own encoding, in at most 64 bytes (schema.sql), and sends it to the lab in
// UTF-8. No server encoding of PostgreSQL has more than one character in one byte, and UTF-8 needs at most 4 bytes for
// a character (RFC 3629), so the longest id has 64 characters and fits in 256 bytes, without the NUL. pg_wchar.h has
// the same factor: MAX_CONVERSION_GROWTH.
#define UTF8_CHARACTER_MAX 4
#define ACCOUNT_ID_CHARACTERS 64
#define ACCOUNT_ID_MAX (ACCOUNT_ID_CHARACTERS * UTF8_CHARACTER_MAX) // bytes

// The largest amount of one transfer: 1e12 in the major unit. A balance (numeric(15,2)) holds almost ten times as much.
#define TRANSFER_AMOUNT_MAX_CENTS INT64_C(100000000000000)
#define TRANSFER_ID_LENGTH 8

// --- The Idempotency-Key: its length in characters, each of one byte, and how long it is kept. ---
#define IDEMPOTENCY_KEY_MAX 255
#define IDEMPOTENCY_TTL_S_MIN 1
#define IDEMPOTENCY_TTL_S_MAX 2592000
#define IDEMPOTENCY_TTL_S_DEFAULT 86400

// --- The pool. libuv silently limits UV_THREADPOOL_SIZE to 1024, so the program checks the number itself. ---
#define WORKER_THREADS_MIN 4
#define WORKER_THREADS_MAX 512
#define WORKER_THREADS_DEFAULT 32
// One worker in eight, but at least one, is reserved for jobs that are not transfers. Each kind of such jobs also has a
// thread of its own (job.h), so the pool has more threads than WORKER_THREADS.
#define WORKER_RESERVE(threads) ((threads) / 8 > 0 ? (threads) / 8 : 1)
// clang-format off
#define TRANSFER_SLOTS(threads) ((threads) - WORKER_RESERVE(threads))
// clang-format on
// There is one batch at a time: two would wait for each other's rows (docs/benchmarks). If another session holds a row
// longer than this, the batch is split: the first transfer of each of its accounts runs on a slot of its own. These
// transfers take at most half of the slots.
#define BATCH_LOCK_TIMEOUT_MS 20
#define BATCH_ALONE_MAX(slots) ((slots) / 2)
#define TRANSFER_QUEUE_LIMIT_MIN 1
#define TRANSFER_QUEUE_LIMIT_MAX 100000
#define TRANSFER_QUEUE_LIMIT_DEFAULT 1024
// A transfer that finds the queue full waits for room in it, behind the others that do, and is refused after this time.
// A client that sends its request again at once then costs one refusal in this time. Refused immediately, 950 such
// clients cost 27,000 refusals a second, and the work starved (docs/benchmarks).
#define OVERFLOW_WAIT_MS 1000
// Beyond this number a transfer is refused immediately, so that connections are left for other requests.
#define OVERFLOW_MAX 8192
#define OVERFLOW_RETRY_AFTER_S_MAX 30 // the longest Retry-After, also if no transfer was admitted meanwhile
#define JOB_QUEUE_LIMIT 1024          // waiting jobs of each kind that is not a transfer

// --- The gates ---
#define BARRIER_COUNT_MIN 2
#define BARRIER_COUNT_DEFAULT 2
#define BARRIER_TIMEOUT_MS_MIN 1
#define BARRIER_TIMEOUT_MS_MAX 600000
#define BARRIER_TIMEOUT_MS_DEFAULT 30000
#define HOLD_PAUSE_MAX_MS 16 // longest pause between two counts of the waiters for a held row
#define DELAY_MS_MAX 60000
#define DELAY_MS_DEFAULT 100

// --- The database. A transfer may wait for a lock whose holder sleeps for two of the longest debug delays. ---
#define DATABASE_CONNECT_TIMEOUT_MS 5000
#define DATABASE_LOCK_TIMEOUT_MS 150000
#define DATABASE_STATEMENT_TIMEOUT_MS 180000
#define DATABASE_ANSWER_TIMEOUT_MS 190000
// For a whole transfer: the gates, the waits for locks, and all attempts.
#define TRANSFER_TIMEOUT_MS 3600000
#define DATABASE_WATCH_INTERVAL_MS 1000
#define DATABASE_WATCH_TIMEOUT_MS 3000
#define SCHEMA_TIMEOUT_MS 120000 // creates or alters the tables; this may read a long transfers table once
// A scraper waits one or two seconds for /metrics, and this is the time for the balances in it. The scrape runs two
// statements, and PostgreSQL must end a slow one before the program closes the connection.
#define SCRAPE_TIMEOUT_MS 1000
#define SCRAPE_STATEMENT_TIMEOUT_MS 450

// A transaction that lost against another one (40001, 40P01) is retried after a pause that doubles and has jitter.
#define TRANSFER_ATTEMPTS_MAX 12
#define TRANSFER_BACKOFF_FIRST_US 500
#define TRANSFER_BACKOFF_MAX_US 64000

// The statements and steps that one job records. Further ones are only counted.
#define JOB_STATEMENTS_MAX 48
#define TRANSFER_STEPS_MAX 64

#define TRANSACTIONS_LIMIT_MAX 1000
#define TRANSACTIONS_LIMIT_DEFAULT 20
#define ACCOUNT_GAUGES_MAX 100
#define AUDIT_VIOLATIONS_MAX 100
#define RACES_LIMIT_MAX 100
#define RACES_LIMIT_DEFAULT 20
#define RACE_TRANSFERS_MAX 64 // transfers in the details of one race

// Events in the queue from the workers to the loop. Steps that do not fit are published at the end of the transfer.
#define EVENT_QUEUE_MAX 4096

static_assert(TRANSFER_SLOTS(WORKER_THREADS_MIN) >= BARRIER_COUNT_MIN, "the smallest pool must hold the smallest race");
static_assert(DATABASE_LOCK_TIMEOUT_MS > 2 * DELAY_MS_MAX, "a racer must outlast the delay of the lock's holder");
static_assert(DATABASE_STATEMENT_TIMEOUT_MS > DATABASE_LOCK_TIMEOUT_MS, "the lock timeout must end the wait first");
static_assert(SCRAPE_TIMEOUT_MS > 2 * SCRAPE_STATEMENT_TIMEOUT_MS, "PostgreSQL must end the statements first");
static_assert(DATABASE_ANSWER_TIMEOUT_MS > DATABASE_STATEMENT_TIMEOUT_MS, "PostgreSQL must end the statement first");

#endif
