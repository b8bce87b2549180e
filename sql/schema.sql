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
