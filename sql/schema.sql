-- The bank's tables. The program runs this script twice: in a temporary schema, to compare the tables that are there with
-- how they must be, and then, if none of them is another program's, where they belong. A change of a table needs a step
-- in the statement schema_differences, and the script as it was goes into tests/api/schemas/, which tests the step.

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

-- What resets have emptied: the newest records of all of them, so that a race can be told after the next one began.
CREATE TABLE IF NOT EXISTS past_transfers (
    LIKE transfers,
    reset bigint NOT NULL, -- lab_totals.resets as it was when the record was made
    PRIMARY KEY (reset, seq)
);

-- What was in the logs that resets have emptied, added up. One row, from seed.sql.
CREATE TABLE IF NOT EXISTS lab_totals (
    single        boolean       PRIMARY KEY DEFAULT true CHECK (single),
    resets        bigint        NOT NULL DEFAULT 0,
    transfers     bigint        NOT NULL DEFAULT 0,
    races         bigint        NOT NULL DEFAULT 0, -- transfers with race_detected
    double_spends bigint        NOT NULL DEFAULT 0,
    lost_updates  bigint        NOT NULL DEFAULT 0,
    money_drift   numeric       NOT NULL DEFAULT 0 -- of any size: a reset must not fail for what it adds up
);
