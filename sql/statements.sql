-- Every statement the program runs, each under the name the metrics and the spans give it:
--     -- name: <name> <OPERATION> <table>
-- Parameters are text; money travels as decimal text, never as floating point.

-- name: session_setup SELECT settings
SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false);

-- name: ping SELECT none
SELECT 1;

-- name: begin BEGIN none
BEGIN ISOLATION LEVEL READ COMMITTED;

-- name: commit COMMIT none
COMMIT;

-- name: rollback ROLLBACK none
ROLLBACK;

-- The vulnerable read: it takes no lock, so what it saw may be old before it is used.
-- name: read_balances SELECT accounts
SELECT id, balance FROM accounts WHERE id IN ($1, $2);

-- The safe read: rows are locked in the order of their ids, so two transfers in opposite
-- directions queue up instead of deadlocking.
-- name: lock_balances SELECT accounts
SELECT id, balance FROM accounts WHERE id IN ($1, $2) ORDER BY id FOR UPDATE;

-- name: deduct UPDATE accounts
UPDATE accounts SET balance = balance - $2::numeric, version = version + 1 WHERE id = $1 RETURNING balance;

-- name: credit UPDATE accounts
UPDATE accounts SET balance = balance + $2::numeric, version = version + 1 WHERE id = $1 RETURNING balance;

-- name: record_transfer INSERT transfers
INSERT INTO transfers (id, "timestamp", from_account, to_account, amount,
                       from_balance_before, from_balance_after, to_balance_before, to_balance_after,
                       status, thread_id, duration_ms, strategy, race_detected, trace_id, steps)
VALUES ($1, 'epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3, $4, $5::numeric,
        $6::numeric, $7::numeric, $8::numeric, $9::numeric,
        $10, $11, $12::numeric, $13, $14::boolean, $15, $16::jsonb);

-- name: read_accounts SELECT accounts
SELECT id, balance FROM accounts ORDER BY id;

-- name: read_account SELECT accounts
SELECT id, balance FROM accounts WHERE id = $1;

-- For the account_balance gauge, whose label stops at $1 accounts.
-- name: read_gauges SELECT accounts
SELECT id, balance FROM accounts ORDER BY id LIMIT $1::integer;

-- For the money_drift gauge: money is moved, never made, so this is zero.
-- name: read_money_drift SELECT accounts
SELECT drift FROM money_supply;

-- name: read_transfers SELECT transfers
SELECT id, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       from_account, to_account, amount, from_balance_before, from_balance_after,
       to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy, race_detected, trace_id
FROM (SELECT * FROM transfers ORDER BY seq DESC LIMIT $1::integer) AS newest
ORDER BY seq;

-- Back to the initial state: the accounts first, in order, as the transfers take them; only then
-- the log, so that no transfer holds what this waits for while waiting for what this holds.
-- name: reset_lock SELECT accounts
SELECT id FROM accounts ORDER BY id FOR UPDATE;

-- name: reset_accounts UPDATE accounts
UPDATE accounts SET balance = initial_balance, version = 0;

-- name: reset_transfers TRUNCATE transfers
TRUNCATE transfers RESTART IDENTITY;
