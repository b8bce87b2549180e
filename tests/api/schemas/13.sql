-- schema.sql and views.sql as they are now, an input of test_schema.py.

-- The bank's tables. The program runs this script twice. The first run, in a temporary schema, makes tables to compare
-- the existing ones with. The second run makes the tables in their own schema, unless another program's table has one
-- of the names. A change of a table needs a step in the statement schema_differences. The old script goes into
-- tests/api/schemas/, which tests the step.

CREATE TABLE IF NOT EXISTS accounts (
    -- The collation "C" compares byte by byte, as the program does: rows are locked in this order, also by a plan that
    -- walks the key.
    id              text COLLATE "C" PRIMARY KEY CHECK (octet_length(id) BETWEEN 1 AND 64),
    -- No CHECK (balance >= 0), on purpose: the lab shows the behaviour of the application. A constraint that stops an
    -- overdraft would hide the race and not prevent it.
    balance         numeric(15,2) NOT NULL,
    version         bigint        NOT NULL DEFAULT 0,
    initial_balance numeric(15,2) NOT NULL
) WITH (fillfactor = 50); -- room on the page for heap-only updates of a hot row

-- One row for each transfer, in the order of recording. There is no foreign key to accounts, because its FOR KEY SHARE
-- lock on the account row would add a wait to the experiment.
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
    steps               jsonb         NOT NULL, -- see transfer_steps in views.sql
    -- BANK_API_REPLICA of the program that ran it, a setting of its sessions; NULL: it had no name
    replica             text          DEFAULT nullif(current_setting('lab.replica', true), '')
);

-- The newest records of all transfers that resets have removed, so that GET /races can show a race after the next
-- reset.
CREATE TABLE IF NOT EXISTS past_transfers (
    LIKE transfers,
    reset bigint NOT NULL, -- the value of lab_totals.resets when the record was made
    PRIMARY KEY (reset, seq)
);

-- The totals of all transfers that resets have removed. The table has one row, which seed.sql makes.
CREATE TABLE IF NOT EXISTS lab_totals (
    single        boolean       PRIMARY KEY DEFAULT true CHECK (single),
    resets        bigint        NOT NULL DEFAULT 0,
    transfers     bigint        NOT NULL DEFAULT 0,
    races         bigint        NOT NULL DEFAULT 0, -- transfers with race_detected
    double_spends bigint        NOT NULL DEFAULT 0,
    lost_updates  bigint        NOT NULL DEFAULT 0,
    -- without a limit: a sum that is too large would make every reset fail
    money_drift   numeric       NOT NULL DEFAULT 0,
    since         timestamptz   -- when a reset set these totals to zero; NULL: never
);

-- The Idempotency-Keys of transfers. A key is written in the transaction of its transfer, so neither exists without the
-- other, and the primary key lets one transaction win. A row of this table points to a record, which is the answer.
CREATE TABLE IF NOT EXISTS transfer_keys (
    key        text        COLLATE "C" PRIMARY KEY CHECK (octet_length(key) BETWEEN 1 AND 255),
    -- transfers.seq. There is no foreign key, because every reset would have to check it for each record.
    seq        bigint      NOT NULL UNIQUE,
    request    text[]      NOT NULL, -- from, to, amount, and the strategy that the request names or ''
    expires_at timestamptz NOT NULL,
    repeats    bigint      NOT NULL DEFAULT 0 -- how often the key was sent again
) WITH (fillfactor = 80);

-- The next tables belong to the replicas of bank-api (docs/REPLICAS.md). A program without BANK_API_REPLICA does not
-- use them.
-- The one row has the settings that are in force on all replicas. It is also the lock of the barrier: whoever has the
-- row may close rounds.
CREATE TABLE IF NOT EXISTS lab_settings (
    single     boolean     PRIMARY KEY DEFAULT true CHECK (single),
    version    bigint      NOT NULL DEFAULT 1, -- each change adds one
    gates      bigint      NOT NULL DEFAULT 2, -- each change that opens the gates adds one; see settings.gate_version
    round      bigint      NOT NULL DEFAULT 0, -- the last round of the barrier that was closed
    settings   jsonb       NOT NULL,
    changed_by text        NOT NULL,           -- a replica
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The replicas that are there, and those that ended within the last hour without saying so.
CREATE TABLE IF NOT EXISTS lab_replicas (
    name             text        COLLATE "C" PRIMARY KEY,
    url              text        NOT NULL,
    started_at       timestamptz NOT NULL,
    seen_at          timestamptz NOT NULL,
    settings_version bigint      NOT NULL, -- lab_settings.version that the replica had in force when it was last seen
    backend          integer     NOT NULL  -- the process id of its session, which holds the lock of its name
);

-- The transfers that wait at the barrier of all replicas, and those that were released a moment ago.
CREATE TABLE IF NOT EXISTS lab_arrivals (
    seq     bigint  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      text    NOT NULL,
    replica text    NOT NULL,
    backend integer NOT NULL, -- as in lab_replicas; if that session is gone, the waiter is not counted
    gates   bigint  NOT NULL, -- lab_settings.gates when it arrived
    round   bigint            -- NULL: it waits; 0: a reset has released it
);

-- The views for a person at psql after a race. The program makes them together with schema.sql.

-- An amount as a person reads it: -$600.00. The columns of the views and the JSON have numbers.
CREATE OR REPLACE FUNCTION show_money(value numeric) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN value < 0 THEN '-' ELSE '' END || '$' || abs(value)
$$;

-- The steps of one record, one row for each step. A step in transfers.steps is {"step", "account", "value", "at_us",
-- "took_us", ...}: at_us is the end of the step in microseconds since 1970 by the server's clock, took_us is its
-- duration. A write that was committed before the record was made has "committed_at_us" too: the time when the answer
-- to its commit arrived, so other sessions could see the write at that time at the latest. A step omits the values that
-- all transfers of a batch or of a statement share; the record has them.
CREATE OR REPLACE FUNCTION steps_told(steps jsonb, received timestamptz, from_account text, to_account text,
                                      from_before numeric, from_after numeric, to_after numeric)
RETURNS TABLE ("position" bigint, step text, account text, value numeric, at_us bigint, took_us bigint, parties integer,
               outcome text)
LANGUAGE sql STABLE AS $$
    SELECT s.place, s.step ->> 'step',
           coalesce(s.step ->> 'account',
                    CASE WHEN s.step ->> 'step' IN ('batch', 'check', 'deduct') THEN from_account
                         WHEN s.step ->> 'step' = 'credit' THEN to_account END),
           coalesce((s.step ->> 'value')::numeric,
                    CASE s.step ->> 'step' WHEN 'batch'  THEN from_before
                                           WHEN 'check'  THEN from_before
                                           WHEN 'deduct' THEN from_after
                                           WHEN 'credit' THEN to_after END),
           (s.step ->> 'at_us')::bigint,
           greatest(0, coalesce((s.step ->> 'took_us')::bigint,
                                (s.step ->> 'at_us')::bigint - (extract(epoch FROM received) * 1000000)::bigint)),
           (s.step ->> 'parties')::integer,
           s.step ->> 'outcome'
    FROM jsonb_array_elements(steps) WITH ORDINALITY AS s (step, place)
$$;

-- Why an attempt was lost: its SQLSTATE in the words of the page.
CREATE OR REPLACE FUNCTION show_loss(outcome text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE outcome WHEN 'changed' THEN 'the row had changed' WHEN '40001' THEN 'serialization failure'
                        WHEN '40P01' THEN 'deadlock' ELSE outcome END
$$;

-- The timed steps of every transfer, one row for each moment. A wait (barrier, lock) has two moments.
CREATE OR REPLACE VIEW transfer_steps AS
WITH step AS (
    SELECT t.id AS transfer_id, t.from_account, t.to_account, t.amount, s.position, s.step, s.account, s.value, s.took_us,
           s.parties, s.outcome, 'epoch'::timestamptz + s.at_us * interval '1 microsecond' AS ended_at,
           CASE WHEN c.committed_at_us > s.at_us -- NULL: the write was committed with the record, at the end
                THEN ', committed within ' || round((c.committed_at_us - s.at_us) / 1000.0, 1) || ' ms' END AS committed
    FROM transfers t, steps_told(t.steps, t."timestamp", t.from_account, t.to_account, t.from_balance_before,
                                 t.from_balance_after, t.to_balance_after) AS s
    CROSS JOIN LATERAL (
        SELECT (t.steps -> (s.position - 1)::integer ->> 'committed_at_us')::bigint AS committed_at_us) AS c
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
           WHEN 'read'    THEN format('reads %s: %s', account, show_money(value))
           WHEN 'lock'    THEN format('has the locks after %s ms, reads %s: %s', round(took_us / 1000.0, 1), account, show_money(value))
           WHEN 'mutex'   THEN format('has the mutex after %s ms', round(took_us / 1000.0, 1))
           WHEN 'batch'   THEN format('is in a batch of %s after %s ms, reads %s: %s', parties, round(took_us / 1000.0, 1), account, show_money(value))
           WHEN 'retry'   THEN format('lost against another transfer (%s), tries again', show_loss(outcome))
           WHEN 'hold'    THEN format('lets go of the row: %s', outcome)
           WHEN 'barrier' THEN format('leaves the barrier: %s', outcome)
           WHEN 'check'   THEN format('checks %s >= %s: %s', show_money(value), show_money(amount),
                                      CASE WHEN value >= amount THEN 'enough' ELSE 'not enough, refused' END)
           WHEN 'deduct'  THEN format('deducts %s: %s is %s%s', show_money(amount), account, show_money(value), committed)
           WHEN 'credit'  THEN format('adds %s: %s is %s%s', show_money(amount), account, show_money(value), committed)
           ELSE step
       END
FROM step
WHERE step <> 'delay';

-- The racing transfers for race_timeline and double_spends: successful transfers that touched one account, as source or
-- target, in overlapping spans of time (gaps and islands), at least one of which deducted from a balance that had
-- changed. GET /races and race_groups use another definition: here a clean race is left out, and a transfer to the
-- account belongs to the race.
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
       row_number() OVER (PARTITION BY race, account ORDER BY first_at, seq) AS racer, seq
FROM racer
WHERE raced;

-- Every transfer that overdrew an account, by how much, on which stale balance, and against which other transfers.
CREATE OR REPLACE VIEW double_spends AS
WITH racer AS MATERIALIZED ( -- materialized: finding the races reads every step, so it is done once
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

-- Compares every account with the transfers table: initial + credits - debits must be the balance.
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

-- One row: the money in all accounts. Transfers move money and never make any.
CREATE OR REPLACE VIEW money_supply AS
SELECT coalesce(sum(initial_balance), 0) AS expected, coalesce(sum(balance), 0) AS actual,
       coalesce(sum(balance - initial_balance), 0) AS drift
FROM accounts;

-- Every violation of the books, each with the transfers involved (at most 20, the newest last). It makes a fixed number
-- of passes over the transfers table. It does not use the races, because finding them reads every step.
CREATE OR REPLACE VIEW audit_violations AS
WITH misrecorded AS ( -- records whose own numbers contradict each other
    SELECT seq, id, from_account, to_account, from_balance_before - amount - from_balance_after AS off_by,
           CASE
               WHEN status <> 'success' AND from_balance_before >= amount THEN
                   format('was refused although %s held %s', from_account, show_money(from_balance_before))
               WHEN status <> 'success' THEN 'was refused, and yet balances moved'
               WHEN from_balance_before < amount THEN
                   format('took %s from %s, which held %s', show_money(amount), from_account, show_money(from_balance_before))
               WHEN from_balance_before - amount <> from_balance_after THEN
                   format('read %s in %s, took %s and left %s', show_money(from_balance_before), from_account, show_money(amount),
                          show_money(from_balance_after))
               ELSE format('read %s in %s, added %s and left %s', show_money(to_balance_before), to_account, show_money(amount),
                           show_money(to_balance_after))
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
), suspect AS ( -- by account: transfers that raced or are misrecorded, and the transfers next to them in the table
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
           format('there is %s, %s %s than at the start', show_money(actual), show_money(abs(drift)),
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
               format('%s has %s, %s below zero', a.id, show_money(a.balance), show_money(-a.balance)) AS detail
        WHERE a.overdrawn
        UNION ALL
        SELECT 'account_drift', a.drift,
               format('%s has %s, but %s + %s received - %s sent is %s', a.id, show_money(a.balance), show_money(a.initial_balance),
                      show_money(a.credits), show_money(a.debits), show_money(a.expected))
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

-- The newest 1,000 records, including the records that resets have removed. `reset` is the same for all records between
-- two resets.
CREATE OR REPLACE VIEW recent_transfers AS
SELECT * FROM (
    (SELECT (SELECT resets FROM lab_totals) AS reset, seq, id, "timestamp", from_account, to_account, amount,
            from_balance_before, from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms,
            strategy, race_detected, anomaly, trace_id, steps, replica
     FROM transfers ORDER BY seq DESC LIMIT 1000)
    UNION ALL
    (SELECT reset, seq, id, "timestamp", from_account, to_account, amount,
            from_balance_before, from_balance_after, to_balance_before, to_balance_after, status, thread_id, duration_ms,
            strategy, race_detected, anomaly, trace_id, steps, replica
     FROM past_transfers ORDER BY reset DESC, seq DESC LIMIT 1000)
) AS recent
ORDER BY reset DESC, seq DESC
LIMIT 1000;

-- A race is two or more transfers from one account that overlapped in time, with any outcome. GET /races and the page
-- use this definition as well. The view has every recent transfer with its race (gaps and islands); a transfer that
-- overlapped with no other is a group of one. A race has the id of its first transfer, the one whose first step began
-- first. A transfer that acted on a changed balance has race_detected: it counts transfers, not races. Such a
-- transfer has met another one in any case. The recorded time of that one may end before it, because a record is made
-- before its COMMIT, which may take up to a second.
CREATE OR REPLACE VIEW race_members AS
WITH span AS (
    SELECT *, greatest("timestamp" + greatest(0, duration_ms) * interval '1 millisecond', -- ends where a write was sent
                       'epoch'::timestamptz + (steps -> -1 ->> 'at_us')::bigint * interval '1 microsecond') AS ended_at,
           coalesce((steps -> 0 ->> 'at_us')::bigint - (steps -> 0 ->> 'took_us')::bigint,
                    (extract(epoch FROM "timestamp") * 1000000)::bigint) AS began_us
    FROM recent_transfers
), edge AS (
    SELECT *, "timestamp" - CASE WHEN race_detected THEN interval '1 second' ELSE interval '0' END
              > max(ended_at) OVER (PARTITION BY reset, from_account ORDER BY "timestamp", seq
                                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS apart
    FROM span
), island AS (
    SELECT *, count(*) FILTER (WHERE apart) OVER (PARTITION BY reset, from_account ORDER BY "timestamp", seq) AS number
    FROM edge
)
SELECT reset, first_value(id) OVER place AS race, row_number() OVER place AS place,
       seq, id, "timestamp", from_account, to_account, amount, from_balance_before, from_balance_after,
       to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy, race_detected, anomaly, trace_id,
       steps, ended_at, replica
FROM island
WINDOW place AS (PARTITION BY reset, from_account, number ORDER BY began_us, seq);

-- One row for each race. transfer_ids are the first twelve.
CREATE OR REPLACE VIEW race_groups AS
SELECT race AS id, reset, from_account AS account, min("timestamp") AS started_at, count(*) AS transfer_count,
       (array_agg(id ORDER BY place))[1:12] AS transfer_ids,
       array_agg(DISTINCT strategy) AS strategies,
       CASE min(CASE anomaly WHEN 'double_spend' THEN 1 WHEN 'lost_update' THEN 2 WHEN 'stale_read' THEN 3 END)
           WHEN 1 THEN 'double_spend' WHEN 2 THEN 'lost_update' WHEN 3 THEN 'stale_read' ELSE 'clean' END AS verdict,
       min(from_balance_after) AS lowest_balance,
       count(*) FILTER (WHERE status = 'success') AS succeeded,
       count(*) FILTER (WHERE status <> 'success') AS refused
FROM race_members
GROUP BY reset, race, from_account
ORDER BY reset DESC, started_at DESC;

-- The steps of the recent transfers, and behind them their end, as a step named commit. Its outcome is "committed"
-- where one commit ends the transfer, "recorded" where each statement has committed on its own and the record is the
-- last.
CREATE OR REPLACE VIEW race_steps AS
SELECT m.reset, m.race, m.place, m.id AS transfer_id, m.strategy, m.from_account, m.amount, m.from_balance_before,
       m.from_balance_after, m.race_detected, s.position, s.step, s.account, s.value, s.at_us, s.took_us, s.parties,
       s.outcome, (m.steps -> (s.position - 1)::integer ->> 'committed_at_us')::bigint AS committed_at_us, m.anomaly,
       m.to_balance_before
FROM race_members m
CROSS JOIN LATERAL (
    SELECT * FROM steps_told(m.steps, m."timestamp", m.from_account, m.to_account, m.from_balance_before,
                             m.from_balance_after, m.to_balance_after)
    UNION ALL
    SELECT jsonb_array_length(m.steps) + 1, 'commit', NULL, NULL, ended.us,
           greatest(0, ended.us - (m.steps -> -1 ->> 'at_us')::bigint), NULL,
           CASE WHEN m.strategy IN ('vulnerable', 'absolute_update', 'process_mutex') THEN 'recorded' ELSE 'committed' END
    FROM (SELECT (extract(epoch FROM m.ended_at) * 1000000)::bigint AS us) AS ended
) AS s;

-- The write that a stale read missed, at most one for each reader: the last write of another transfer to the same
-- balance before the reader's own write. The reader's write returned the previous value of the row, so the missed write
-- is a write that left that value. A lost update overwrote the row unseen, so there only the order of the writes
-- identifies it. A write whose commit was known before the read was sent is left out: the read saw it. If the write is
-- not among the records (it was made at psql), there is no row. A read sees only committed writes, so the missed write
-- was committed after the read. committed_by_us is the earliest moment by which it certainly was committed: the answer
-- to its commit had arrived, or the reader's own write, which waits for the row until the other's commit, had been
-- made. The time of a read is taken just after its snapshot, so it cannot be later than committed_by_us.
-- uncommitted_at_read: the write was made before the read but not yet committed, so no other session could see it. If
-- the statement that writes also reads, the time of the read is the beginning of the statement.
CREATE OR REPLACE VIEW missed_writes AS
WITH step AS MATERIALIZED (
    SELECT * FROM race_steps WHERE step IN ('read', 'lock', 'deduct', 'credit')
), write AS MATERIALIZED ( -- narrow: it is read once for every reader
    SELECT reset, race, transfer_id, account, value, at_us, at_us - took_us AS sent_us, committed_at_us
    FROM step WHERE step IN ('deduct', 'credit')
), own AS (
    SELECT DISTINCT ON (reset, transfer_id) *
    FROM (SELECT *, bool_or(outcome = 'overwrote') OVER (PARTITION BY reset, transfer_id) AS is_named
          FROM step WHERE step IN ('deduct', 'credit') AND race_detected) AS writes
    WHERE CASE WHEN is_named THEN outcome = 'overwrote' ELSE step = 'deduct' END
    ORDER BY reset, transfer_id, step = 'deduct' DESC, position DESC
), reading AS (
    SELECT DISTINCT ON (own.reset, own.transfer_id)
           own.*, coalesce(seen.at_us, own.at_us - own.took_us) AS read_us,
           coalesce(seen.at_us - seen.took_us, own.at_us - own.took_us) AS sent_us,
           CASE own.step WHEN 'credit' THEN own.to_balance_before ELSE coalesce(seen.value, own.from_balance_before) END
               AS value_read
    FROM own
    LEFT JOIN step seen ON seen.reset = own.reset AND seen.transfer_id = own.transfer_id AND seen.step IN ('read', 'lock')
                           AND seen.account = own.from_account AND seen.position < own.position
    ORDER BY own.reset, own.transfer_id, seen.position DESC
)
SELECT r.reset, r.race, r.account, r.transfer_id AS reader, moment.read_at_us, r.value_read, missed.transfer_id AS writer,
       missed.at_us AS written_at_us, missed.value AS value_written, committed.by_us AS committed_by_us,
       missed.at_us <= moment.read_at_us AS uncommitted_at_read
FROM reading r
CROSS JOIN LATERAL (
    SELECT w.transfer_id, w.at_us, w.value, w.committed_at_us FROM write w
    WHERE w.reset = r.reset AND w.transfer_id <> r.transfer_id AND w.account = r.account AND w.sent_us < r.at_us
      AND (w.race = r.race OR w.at_us > r.sent_us - 1000000) -- its commit may have taken this long
      AND (w.committed_at_us IS NULL OR w.committed_at_us > r.sent_us)
      AND CASE r.anomaly WHEN 'lost_update' THEN w.at_us <= r.at_us ELSE w.value = r.value + r.amount END
    ORDER BY (w.at_us <= r.at_us) DESC, w.at_us DESC
    LIMIT 1) AS missed
CROSS JOIN LATERAL (
    SELECT greatest(missed.at_us, least(missed.committed_at_us, r.at_us)) AS by_us) AS committed
CROSS JOIN LATERAL (SELECT least(r.read_us, committed.by_us - 1) AS read_at_us) AS moment;

-- The transfers of each race with their place among its columns, as on the page: ordered by their target, and those to
-- one target as they came. So the same transfer has the same letter in a race and under its fix. zero_us is the
-- beginning of the race on the page: of the first step, or of a wait in the queue of at least 2 ms before it.
CREATE OR REPLACE VIEW race_columns AS
WITH first AS MATERIALIZED (
    SELECT reset, transfer_id, at_us - took_us AS began_us FROM race_steps WHERE position = 1
)
SELECT m.reset, m.race, m.id, m.strategy, m.from_account,
       row_number() OVER (PARTITION BY m.reset, m.race ORDER BY m.to_account COLLATE "C", m.place) AS nth,
       CASE WHEN f.began_us - r.us >= 2000 THEN r.us END AS queued_us,
       min(CASE WHEN f.began_us - r.us >= 2000 THEN r.us ELSE f.began_us END) OVER (PARTITION BY m.reset, m.race) AS zero_us,
       m.seq
FROM race_members m
JOIN first f ON f.reset = m.reset AND f.transfer_id = m.id
CROSS JOIN LATERAL (SELECT (extract(epoch FROM m."timestamp") * 1000000)::bigint AS us) AS r;

-- The steps of the racing transfers in time order, one column for each transfer; and the write that each stale read
-- missed, with the reason. Where the transfers name their replica, each step begins with it.
CREATE OR REPLACE VIEW race_timeline AS
WITH racer AS MATERIALIZED ( -- materialized: finding the races reads every step, so it is done once
    SELECT * FROM races
), missed AS MATERIALIZED (
    SELECT reader, account, writer,
           CASE WHEN uncommitted_at_read
                THEN format('had written %s but not committed when this one read, so it could not be seen', show_money(value_written))
                ELSE format('wrote %s after this one had read', show_money(value_written)) END AS why
    FROM missed_writes
    WHERE reset = (SELECT resets FROM lab_totals)
), zero AS ( -- that of the page, as far as the records are still there
    SELECT r.race, r.account,
           coalesce('epoch'::timestamptz + min(c.zero_us) * interval '1 microsecond', min(r.started_at)) AS at
    FROM racer r LEFT JOIN race_columns c ON c.id = r.transfer_id
    GROUP BY r.race, r.account
)
SELECT r.race, r.account,
       round(extract(epoch FROM s.at - z.at) * 1000, 3) AS ms,
       CASE WHEN r.racer = 1 THEN entry.text END AS racer_1,
       CASE WHEN r.racer = 2 THEN entry.text END AS racer_2,
       CASE WHEN r.racer = 3 THEN entry.text END AS racer_3,
       CASE WHEN r.racer = 4 THEN entry.text END AS racer_4,
       CASE WHEN r.racer > 4 THEN format('%s: %s', r.racer, entry.text) END AS other_racers,
       r.transfer_id
FROM racer r
JOIN zero z ON z.race = r.race AND z.account = r.account
JOIN transfer_steps s USING (transfer_id)
JOIN transfers t ON t.id = r.transfer_id AND t.seq = r.seq
LEFT JOIN missed m ON m.reader = r.transfer_id AND m.account = s.account AND s.step IN ('deduct', 'credit')
LEFT JOIN racer w ON w.race = r.race AND w.account = r.account AND w.transfer_id = m.writer
CROSS JOIN LATERAL (
    SELECT coalesce('[' || t.replica || '] ', '') || s.description || CASE WHEN m.why IS NULL THEN ''
           ELSE format(' (%s %s)', coalesce('racer ' || w.racer, 'transfer ' || m.writer), m.why) END AS text) AS entry
ORDER BY r.race, r.account, s.at, r.seq, s.position; -- the steps of a batch have the same time

-- Which transfer waited for which, as far as the records show: a wait for a lock (lock, mutex, deduct; the read behind
-- an advisory lock) that began before another transfer of the race released the lock, and ended after that. The lock is
-- held until the next waiter has it. A lock and a deduct begin behind the snapshot of their statement, so the statement
-- has not seen the other transfer. A transfer that locked before it wrote releases its locks at its end. A record is
-- written before its COMMIT, so a wait that began between the two is not shown. A single write releases its lock when
-- it is done: of two such writes the one that left less came later. A mutex is released after the record, and then the
-- next waiter has it at once, even if the record ends up to 20 ms before the wait began. A statement that reads and
-- writes has waited only if the row changed after its snapshot.
CREATE OR REPLACE VIEW lock_waits AS
WITH step AS MATERIALIZED (
    SELECT *, step IN ('lock', 'mutex') OR (step = 'read' AND strategy = 'advisory_lock') AS takes_lock FROM race_steps
), member AS (
    SELECT reset, race, transfer_id, from_balance_after, bool_or(takes_lock) AS locks,
           min(at_us) FILTER (WHERE takes_lock OR step = 'deduct') AS got_us,
           min(CASE WHEN takes_lock THEN at_us ELSE at_us - took_us END)
               FILTER (WHERE takes_lock OR step = 'deduct') AS since_us,
           max(at_us) FILTER (WHERE step = CASE WHEN locks THEN 'commit' ELSE 'deduct' END) AS let_go_us
    FROM (SELECT *, bool_or(takes_lock) OVER (PARTITION BY reset, transfer_id) AS locks FROM step) AS s
    GROUP BY reset, race, transfer_id, from_balance_after
), holder AS (
    SELECT *, lead(got_us) OVER (PARTITION BY reset, race ORDER BY got_us, from_balance_after DESC) AS next_us
    FROM member
    WHERE got_us IS NOT NULL
)
SELECT w.reset, w.race, w.transfer_id AS waiter, w.step, h.transfer_id AS holder,
       greatest(w.at_us - w.took_us, h.since_us) AS from_us, least(w.at_us, h.next_us) AS to_us
FROM step w
JOIN member own ON own.reset = w.reset AND own.transfer_id = w.transfer_id
JOIN holder h ON h.reset = w.reset AND h.race = w.race AND h.transfer_id <> w.transfer_id
WHERE (w.takes_lock OR (w.step = 'deduct' AND NOT own.locks
                        AND (h.locks OR h.from_balance_after > w.from_balance_after
                             OR (h.from_balance_after = w.from_balance_after AND h.let_go_us < w.at_us))))
  AND h.let_go_us <= w.at_us
  AND (w.race_detected OR w.strategy NOT IN ('cte_snapshot', 'subselect_predicate'))
  AND (h.let_go_us > w.at_us - w.took_us
       OR (w.step = 'mutex' AND h.next_us = w.at_us AND w.took_us > 1000 AND h.let_go_us > w.at_us - w.took_us - 20000));

-- One row with all counts since the database was made, or since a reset of the totals: the totals of the removed
-- transfers, and the current ones.
-- raced_transfers counts the transfers with race_detected; `races` is an older name for the same number and does not
-- count races.
CREATE OR REPLACE VIEW running_totals AS
SELECT t.transfers + l.transfers AS transfers, t.races + l.races AS races,
       t.double_spends + l.double_spends AS double_spends, t.lost_updates + l.lost_updates AS lost_updates,
       t.money_drift + m.drift AS money_drift, t.races + l.races AS raced_transfers, t.since
FROM lab_totals t, money_supply m, (
    SELECT count(*) AS transfers, count(*) FILTER (WHERE race_detected) AS races,
           count(*) FILTER (WHERE anomaly = 'double_spend') AS double_spends,
           count(*) FILTER (WHERE anomaly = 'lost_update') AS lost_updates
    FROM transfers) AS l;

-- ---- Views for a person at psql ----
-- Each is at most 78 columns wide for accounts with short names, and has the newest first. The views above keep their
-- columns for programs. A and B are the transfers of a race, as on the page. ms counts from the same zero as there.

-- Breaks a text at spaces into lines of at most `width` characters.
CREATE OR REPLACE FUNCTION show_wrapped(line text, width integer) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT rtrim(regexp_replace(line, format('(.{1,%s})( |$)', width), E'\\1\n', 'g'), E'\n')
$$;

-- The letter of a transfer: A to Z, then its number.
CREATE OR REPLACE FUNCTION show_letter(place bigint) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN place <= 26 THEN chr(64 + place::integer) ELSE place::text END
$$;

-- The races, with any outcome. show_race and GET /races/{id} have the details.
CREATE OR REPLACE VIEW show_races AS
SELECT id, date_trunc('second', started_at) AS started_at,
       CASE WHEN cardinality(strategies) = 1 THEN strategies[1] ELSE 'several strategies' END AS strategy,
       transfer_count AS n, verdict
FROM race_groups
WHERE transfer_count > 1
ORDER BY reset DESC, race_groups.started_at DESC;

-- The newest race step by step, under the fix as well. A transfer has the column A or B; of more than two, each second
-- one is in the same column, with its letter. The first line of a transfer says what it is.
CREATE OR REPLACE VIEW show_race AS
WITH newest AS MATERIALIZED (
    SELECT reset, id FROM race_groups WHERE transfer_count > 1 ORDER BY reset DESC, started_at DESC LIMIT 1
), shown AS MATERIALIZED (
    SELECT l.* FROM race_columns l JOIN newest ON newest.reset = l.reset AND newest.id = l.race
), step AS MATERIALIZED (
    SELECT s.*, l.nth, l.seq
    FROM race_steps s JOIN shown l ON l.reset = s.reset AND l.id = s.transfer_id
), missed AS MATERIALIZED (
    SELECT m.* FROM missed_writes m JOIN newest ON newest.reset = m.reset AND newest.id = m.race
), line AS (
    SELECT NULL::bigint AS us, nth, nth AS seq, 0 AS position, 0 AS moment,
           format('%s: %s to %s, %s', m.id, show_money(m.amount), m.to_account, m.strategy) ||
           coalesce(', replica ' || m.replica, '') AS words
    FROM race_members m JOIN shown l ON l.reset = m.reset AND l.id = m.id
    UNION ALL
    SELECT queued_us, nth, seq, 0, 1, 'waits in the queue' FROM shown WHERE queued_us IS NOT NULL
    UNION ALL
    SELECT at_us - took_us, nth, seq, position, 1,
           CASE step
               WHEN 'barrier' THEN 'waits at the barrier'
               WHEN 'delay'   THEN format('sleeps %s ms (delay)', round(took_us / 1000.0))
               WHEN 'lock'    THEN 'asks for the row locks'
               WHEN 'mutex'   THEN 'asks for the mutex'
               WHEN 'hold'    THEN format('keeps the row of %s', from_account)
               WHEN 'batch'   THEN 'waits for its batch'
           END
    FROM step WHERE step IN ('barrier', 'delay', 'lock', 'mutex', 'hold', 'batch')
    UNION ALL
    SELECT s.at_us, s.nth, s.seq, s.position, 2,
           CASE s.step
               WHEN 'read'    THEN format('reads %s: %s', s.account, show_money(s.value))
               WHEN 'lock'    THEN format('has them, reads %s: %s', s.account, show_money(s.value))
               WHEN 'mutex'   THEN 'has the mutex'
               WHEN 'batch'   THEN format('is in a batch of %s, reads %s: %s', s.parties, s.account, show_money(s.value))
               WHEN 'retry'   THEN format('lost (%s), tries again', show_loss(s.outcome))
               WHEN 'hold'    THEN format('lets go of the row: %s', s.outcome)
               WHEN 'barrier' THEN format('leaves the barrier: %s', s.outcome)
               WHEN 'check'   THEN format('checks %s >= %s: %s', show_money(s.value), show_money(s.amount),
                                          CASE WHEN s.value >= s.amount THEN 'enough' ELSE 'not enough, refused' END)
               WHEN 'commit'  THEN CASE WHEN s.from_balance_after = s.from_balance_before THEN 'ends: refused'
                                       WHEN s.outcome = 'committed' THEN 'commits' ELSE 'done' END
               ELSE format('writes %s: %s', s.account, show_money(s.value))
           END || CASE WHEN m.writer IS NULL THEN ''
                       ELSE format(' (it had read %s; %s wrote %s)', show_money(m.value_read),
                                   coalesce(show_letter(writer.nth), 'another race'), show_money(m.value_written)) END
    FROM step s
    LEFT JOIN missed m ON m.reader = s.transfer_id AND m.account = s.account AND s.step IN ('deduct', 'credit')
    LEFT JOIN shown AS writer ON writer.id = m.writer
    WHERE s.step <> 'delay'
), cell AS (
    SELECT *, show_wrapped(CASE WHEN nth > 2 THEN show_letter(nth) || ': ' ELSE '' END || words, 31) AS text
    FROM line
)
SELECT round((us - (SELECT min(zero_us) FROM shown)) / 1000.0, 1) AS ms,
       CASE nth % 2 WHEN 1 THEN text END AS "A", CASE nth % 2 WHEN 0 THEN text END AS "B"
FROM cell
ORDER BY us NULLS FIRST, seq, position, moment; -- the steps of a batch have the same time

-- Every transfer that overdrew its account: the balance that it had read, the balance that its write found, and the
-- balance after it. `who` is its letter in its race.
CREATE OR REPLACE VIEW show_double_spends AS
SELECT m.race, m.strategy, m.from_account AS account, show_letter(l.nth) AS who, m.from_balance_before AS read,
       m.from_balance_after + m.amount AS found, m.from_balance_after AS after
FROM race_members m JOIN race_columns l ON l.reset = m.reset AND l.id = m.id
WHERE m.race_detected AND m.from_balance_after < 0
ORDER BY m.reset DESC, m.seq DESC;

-- Every stale read, with the write that it missed.
CREATE OR REPLACE VIEW show_missed_writes AS
WITH member AS MATERIALIZED (
    SELECT * FROM race_columns
)
SELECT m.race, r.strategy, m.account,
       show_wrapped(format('%s read %s at %s ms, %s wrote %s at %s ms, committed by %s ms', show_letter(r.nth),
                           show_money(m.value_read), round((m.read_at_us - r.zero_us) / 1000.0, 1),
                           CASE w.race WHEN m.race THEN show_letter(w.nth) ELSE m.writer END, show_money(m.value_written),
                           round((m.written_at_us - r.zero_us) / 1000.0, 1),
                           round((m.committed_by_us - r.zero_us) / 1000.0, 1)), 32) AS what
FROM missed_writes m
JOIN member r ON r.reset = m.reset AND r.id = m.reader
LEFT JOIN member w ON w.reset = m.reset AND w.id = m.writer
ORDER BY m.reset DESC, m.read_at_us DESC;

-- Which transfer (who) waited for a lock of which other (whom), from when to when.
CREATE OR REPLACE VIEW show_lock_waits AS
WITH member AS MATERIALIZED (
    SELECT * FROM race_columns
)
SELECT l.race, w.strategy, w.from_account AS account, show_letter(w.nth) AS who, show_letter(h.nth) AS whom,
       round((l.from_us - w.zero_us) / 1000.0, 1) AS from_ms, round((l.to_us - w.zero_us) / 1000.0, 1) AS to_ms
FROM lock_waits l
JOIN member w ON w.reset = l.reset AND w.id = l.waiter
JOIN member h ON h.reset = l.reset AND h.id = l.holder
ORDER BY l.reset DESC, l.to_us DESC;

-- Every violation of the books, with the newest transfers involved.
CREATE OR REPLACE VIEW show_violations AS
SELECT kind, account,
       show_wrapped(detail || coalesce('; transfers ' || array_to_string(
           ARRAY(SELECT id FROM unnest(transfers) WITH ORDINALITY AS t (id, place) ORDER BY place DESC LIMIT 3), ', '), ''),
           46) AS detail
FROM audit_violations;

-- Every account: its balance, and the balance that the transfers table says it must have.
CREATE OR REPLACE VIEW show_accounts AS
SELECT id AS account, initial_balance AS initial, credits AS received, debits AS sent, expected, balance, drift
FROM account_audit;

-- The newest transfers.
CREATE OR REPLACE VIEW show_transfers AS
SELECT id, date_trunc('second', "timestamp") AS received_at, from_account AS "from", to_account AS "to", amount,
       CASE status WHEN 'success' THEN 'success' ELSE 'refused' END AS outcome
FROM recent_transfers
ORDER BY reset DESC, seq DESC;

-- The counts since the database was made, or since a reset of the totals, one row for each.
CREATE OR REPLACE VIEW show_totals AS
SELECT t.what, t.total
FROM running_totals r
CROSS JOIN LATERAL (VALUES ('transfers', r.transfers), ('raced transfers', r.raced_transfers),
                           ('double spends', r.double_spends), ('lost updates', r.lost_updates),
                           ('money created or lost', r.money_drift)) AS t (what, total);
