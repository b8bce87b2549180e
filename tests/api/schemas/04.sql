-- schema.sql and views.sql as they were at commit c9221e2, an input of test_schema.py: no lab_totals, no past_transfers.

-- The bank's tables. Applied by the program at every start, so every statement is idempotent, in one
-- transaction with seed.sql and views.sql.

-- Somebody's open transaction on a view may be in the way: then not now, and again in a second.
SET LOCAL lock_timeout = '2s';

-- One server at a time. The number is the lab's own and means nothing else.
SELECT pg_advisory_xact_lock(8000150021);

CREATE TABLE IF NOT EXISTS accounts (
    -- Byte by byte, as the program compares them: rows are locked in this order, also by a plan that walks the key.
    id              text COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 64),
    -- No CHECK (balance >= 0), on purpose: the lab shows what the application does,
    -- and an overdraft stopped here would hide the race, not mend it.
    balance         numeric(15,2) NOT NULL,
    version         bigint        NOT NULL DEFAULT 0,
    initial_balance numeric(15,2) NOT NULL
) WITH (fillfactor = 50); -- room on the page for heap-only updates of a hot row

-- One row a transfer, in the order they were recorded. No foreign key to accounts: its
-- FOR KEY SHARE lock on the account row would add a wait to the very experiment.
CREATE TABLE IF NOT EXISTS transfers (
    seq                 bigint        GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id                  text          NOT NULL,
    "timestamp"         timestamptz   NOT NULL,
    from_account        text          NOT NULL,
    to_account          text          NOT NULL,
    amount              numeric(15,2) NOT NULL,
    from_balance_before numeric(15,2) NOT NULL,
    from_balance_after  numeric(15,2) NOT NULL,
    to_balance_before   numeric(15,2) NOT NULL,
    to_balance_after    numeric(15,2) NOT NULL,
    status              text          NOT NULL,
    thread_id           text          NOT NULL,
    duration_ms         numeric(12,3) NOT NULL, -- until this row was written: a COMMIT comes after
    strategy            text          NOT NULL,
    race_detected       boolean       NOT NULL,
    anomaly             text          CHECK (anomaly IN ('double_spend', 'lost_update', 'stale_read')),
    trace_id            text,
    steps               jsonb         NOT NULL  -- see transfer_steps in views.sql
);
ALTER TABLE transfers ADD COLUMN IF NOT EXISTS anomaly text -- of a log from before there was one
    CHECK (anomaly IN ('double_spend', 'lost_update', 'stale_read'));

-- What a person at psql reads after a race. Applied by the program at every start.

-- The timed steps of every transfer, one row a moment. A wait (barrier, lock) is two moments.
-- In transfers.steps a step is {"step", "account", "value", "at_us", "took_us", ...}: at_us is when
-- it ended, microseconds since 1970 by the server's clock; took_us how long it took.
CREATE OR REPLACE VIEW transfer_steps AS
WITH step AS (
    SELECT t.id AS transfer_id, t.from_account, t.to_account, t.amount, s.position,
           s.step ->> 'step'                AS step,
           coalesce(s.step ->> 'account',
                    CASE WHEN s.step ->> 'step' IN ('batch', 'check', 'deduct') THEN t.from_account
                         WHEN s.step ->> 'step' = 'credit' THEN t.to_account END) AS account,
           coalesce((s.step ->> 'value')::numeric,
                    CASE s.step ->> 'step' WHEN 'batch'  THEN t.from_balance_before
                                           WHEN 'check'  THEN t.from_balance_before
                                           WHEN 'deduct' THEN t.from_balance_after
                                           WHEN 'credit' THEN t.to_balance_after END) AS value,
           coalesce((s.step ->> 'took_us')::bigint,
                    (s.step ->> 'at_us')::bigint - (extract(epoch FROM t."timestamp") * 1000000)::bigint) AS took_us,
           (s.step ->> 'parties')::integer  AS parties,
           s.step ->> 'outcome'             AS outcome,
           'epoch'::timestamptz + (s.step ->> 'at_us')::bigint * interval '1 microsecond' AS ended_at
    FROM transfers t, jsonb_array_elements(t.steps) WITH ORDINALITY AS s (step, position)
)
SELECT transfer_id, position, 'begin' AS moment, step, account, value,
       ended_at - took_us * interval '1 microsecond' AS at, took_us,
       CASE step
           WHEN 'barrier' THEN 'waits at the barrier'
           WHEN 'delay'   THEN format('sleeps %s ms (debug delay)', round(took_us / 1000.0))
           WHEN 'lock'    THEN format('asks for the row locks of %s and %s', from_account, to_account)
           WHEN 'mutex'   THEN 'asks for the mutex in this process'
           WHEN 'hold'    THEN format('keeps %s locked until %s more wait for it', from_account, parties)
           WHEN 'batch'   THEN 'waits for its batch'
       END AS description
FROM step
WHERE step IN ('barrier', 'delay', 'lock', 'mutex', 'hold', 'batch')
UNION ALL
SELECT transfer_id, position, 'end', step, account, value, ended_at, took_us,
       CASE step
           WHEN 'read'    THEN format('reads %s: $%s', account, value)
           WHEN 'lock'    THEN format('has the locks after %s ms, reads %s: $%s', round(took_us / 1000.0, 1), account, value)
           WHEN 'mutex'   THEN format('has the mutex after %s ms', round(took_us / 1000.0, 1))
           WHEN 'batch'   THEN format('is in a batch of %s after %s ms, reads %s: $%s', parties, round(took_us / 1000.0, 1), account, value)
           WHEN 'retry'   THEN format('lost against another transfer (%s), tries again', outcome)
           WHEN 'hold'    THEN format('lets go of the row: %s', outcome)
           WHEN 'barrier' THEN format('leaves the barrier: %s', outcome)
           WHEN 'check'   THEN format('checks $%s >= $%s: %s', value, amount,
                                      CASE WHEN value >= amount THEN 'enough' ELSE 'not enough, refused' END)
           WHEN 'deduct'  THEN format('deducts $%s: %s is $%s', amount, account, value)
           WHEN 'credit'  THEN format('adds $%s: %s is $%s', amount, account, value)
           ELSE step
       END
FROM step
WHERE step <> 'delay';

-- Which transfers ran into each other: those that touched one account in overlapping spans of
-- time (gaps and islands), where at least one acted on a balance of it that had changed.
CREATE OR REPLACE VIEW races AS
WITH touch AS (
    SELECT t.id, t.seq, a.account, t.race_detected AND a.account = t.from_account AS stale,
           min(s.at) FILTER (WHERE s.moment = 'end') AS first_at, max(s.at) AS last_at
    FROM transfers t
    CROSS JOIN LATERAL (VALUES (t.from_account), (t.to_account)) AS a (account)
    JOIN transfer_steps s ON s.transfer_id = t.id
    WHERE t.status = 'success'
    GROUP BY t.id, t.seq, a.account, stale
), edge AS (
    SELECT *, first_at > max(last_at) OVER (PARTITION BY account ORDER BY first_at, seq
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
    FROM touch
), island AS (
    SELECT *, count(*) FILTER (WHERE apart) OVER (PARTITION BY account ORDER BY first_at, seq) AS number
    FROM edge
), racer AS (
    SELECT account, number, id, seq, first_at,
           bool_or(stale) OVER whole  AS raced,
           min(first_at) OVER whole   AS started_at,
           min(seq) OVER whole        AS race
    FROM island
    WINDOW whole AS (PARTITION BY account, number)
)
SELECT race, account, started_at, id AS transfer_id,
       row_number() OVER (PARTITION BY race, account ORDER BY first_at, seq) AS racer
FROM racer
WHERE raced;

-- The steps of the racing transfers in time order, a column a transfer.
CREATE OR REPLACE VIEW race_timeline AS
SELECT r.race, r.account,
       round(extract(epoch FROM s.at - r.started_at) * 1000, 3) AS ms,
       CASE WHEN r.racer = 1 THEN s.description END AS racer_1,
       CASE WHEN r.racer = 2 THEN s.description END AS racer_2,
       CASE WHEN r.racer = 3 THEN s.description END AS racer_3,
       CASE WHEN r.racer = 4 THEN s.description END AS racer_4,
       CASE WHEN r.racer > 4 THEN format('%s: %s', r.racer, s.description) END AS other_racers,
       r.transfer_id
FROM races r
JOIN transfer_steps s USING (transfer_id)
ORDER BY r.race, r.account, s.at, r.racer, s.position;

-- Who overdrew, by how much, on which stale balance, and against whom.
CREATE OR REPLACE VIEW double_spends AS
WITH racer AS MATERIALIZED ( -- once for all rows: finding the races reads every step
    SELECT race, account, transfer_id FROM races
)
SELECT t.seq, t."timestamp", t.from_account AS account, t.id AS transfer_id, t.amount,
       t.from_balance_before AS balance_read,
       t.from_balance_after + t.amount AS balance_found,
       t.from_balance_after AS balance_after,
       -t.from_balance_after AS overdrawn_by,
       (SELECT string_agg(DISTINCT other.transfer_id, ', ')
        FROM racer mine JOIN racer other USING (race, account)
        WHERE mine.transfer_id = t.id AND mine.account = t.from_account
          AND other.transfer_id <> t.id) AS racers,
       t.strategy, t.trace_id
FROM transfers t
WHERE t.race_detected AND t.from_balance_after < 0
ORDER BY t.seq;

-- Every account against the log: initial + credits - debits must be the balance.
CREATE OR REPLACE VIEW account_audit AS
SELECT a.id, a.initial_balance, coalesce(c.credits, 0.00) AS credits, coalesce(d.debits, 0.00) AS debits,
       a.initial_balance + coalesce(c.credits, 0) - coalesce(d.debits, 0) AS expected, a.balance,
       a.balance - (a.initial_balance + coalesce(c.credits, 0) - coalesce(d.debits, 0)) AS drift,
       a.balance < 0 AS overdrawn
FROM accounts a
LEFT JOIN (SELECT to_account AS id, sum(amount) AS credits FROM transfers
           WHERE status = 'success' GROUP BY to_account) c USING (id)
LEFT JOIN (SELECT from_account AS id, sum(amount) AS debits FROM transfers
           WHERE status = 'success' GROUP BY from_account) d USING (id)
ORDER BY a.id;

-- Money is moved, never made: one row.
CREATE OR REPLACE VIEW money_supply AS
SELECT coalesce(sum(initial_balance), 0) AS expected, coalesce(sum(balance), 0) AS actual,
       coalesce(sum(balance - initial_balance), 0) AS drift
FROM accounts;

-- Everything that does not add up, each with the transfers involved (at most 20, the newest last). A few passes
-- over the log, however long it is: so the races, which need every step, are not asked.
CREATE OR REPLACE VIEW audit_violations AS
WITH misrecorded AS ( -- records whose own numbers contradict each other
    SELECT seq, id, from_account, to_account, from_balance_before - amount - from_balance_after AS off_by,
           CASE
               WHEN status <> 'success' AND from_balance_before >= amount THEN
                   format('was refused although %s held $%s', from_account, from_balance_before)
               WHEN status <> 'success' THEN 'was refused, and yet balances moved'
               WHEN from_balance_before < amount THEN
                   format('took $%s from %s, which held $%s', amount, from_account, from_balance_before)
               WHEN from_balance_before - amount <> from_balance_after THEN
                   format('read $%s in %s, took $%s and left $%s', from_balance_before, from_account, amount,
                          from_balance_after)
               ELSE format('read $%s in %s, added $%s and left $%s', to_balance_before, to_account, amount,
                           to_balance_after)
           END AS what
    FROM transfers
    WHERE CASE status WHEN 'success' THEN from_balance_before < amount
                                          OR from_balance_before - amount <> from_balance_after
                                          OR to_balance_before + amount <> to_balance_after
                      ELSE from_balance_before >= amount OR from_balance_before <> from_balance_after
                           OR to_balance_before <> to_balance_after END
), touch AS (
    SELECT a.account, t.seq, t.id,
           t.race_detected OR EXISTS (SELECT FROM misrecorded m WHERE m.seq = t.seq) AS suspicious
    FROM transfers t
    CROSS JOIN LATERAL (VALUES (t.from_account), (t.to_account)) AS a (account)
), suspect AS ( -- by account: who raced, or is misrecorded, and the neighbours in the log: whom they ran into
    SELECT account, (array_agg(id ORDER BY seq DESC))[1:20] AS newest_first
    FROM (SELECT *, lag(suspicious) OVER near AS after_one, lead(suspicious) OVER near AS before_one
          FROM touch WINDOW near AS (PARTITION BY account ORDER BY seq)) AS t
    WHERE suspicious OR after_one OR before_one
    GROUP BY account
), latest AS ( -- for an account that no suspect has touched
    SELECT account, (array_agg(id ORDER BY seq DESC))[1:20] AS newest_first
    FROM touch
    WHERE seq > (SELECT max(seq) - 1000 FROM transfers)
    GROUP BY account
), violation AS (
    SELECT 1 AS rank, 'money_drift' AS kind, NULL AS account, drift AS amount, 0 AS seq,
           format('there is $%s, $%s %s than at the start', actual, abs(drift),
                  CASE WHEN drift > 0 THEN 'more' ELSE 'less' END) AS detail,
           (SELECT array_agg(id ORDER BY seq DESC) FROM (SELECT id, seq FROM transfers WHERE race_detected
                                                         ORDER BY seq DESC LIMIT 20) AS raced) AS newest_first
    FROM money_supply
    WHERE drift <> 0
    UNION ALL
    SELECT CASE WHEN problem.kind = 'overdrawn' THEN 2 ELSE 3 END, problem.kind, a.id, problem.amount, 0, problem.detail,
           coalesce(s.newest_first, l.newest_first)
    FROM account_audit a
    CROSS JOIN LATERAL (
        SELECT 'overdrawn' AS kind, -a.balance AS amount,
               format('%s has $%s, $%s below zero', a.id, a.balance, -a.balance) AS detail
        WHERE a.overdrawn
        UNION ALL
        SELECT 'account_drift', a.drift,
               format('%s has $%s, but $%s + $%s received - $%s sent is $%s', a.id, a.balance, a.initial_balance,
                      a.credits, a.debits, a.expected)
        WHERE a.drift <> 0) AS problem
    LEFT JOIN suspect s ON s.account = a.id
    LEFT JOIN latest l ON l.account = a.id
    UNION ALL
    SELECT 4, 'record_arithmetic', from_account, off_by, seq, format('transfer %s %s', id, what), ARRAY[id]
    FROM misrecorded
)
SELECT kind, account, amount, detail,
       coalesce((SELECT array_agg(id ORDER BY place DESC)
                 FROM unnest(newest_first) WITH ORDINALITY AS involved (id, place)), '{}') AS transfers,
       rank, seq
FROM violation;
