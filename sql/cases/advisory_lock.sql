-- The lab's strategy "advisory_lock": a transfer locks a number for each of its two accounts before it reads, in the
-- order of their ids, and shares one with all transfers, which keeps a reset out.
-- Right at READ COMMITTED: the read is a statement of its own, so its snapshot is newer than the wait for the lock. At
-- the higher levels the snapshot is older than the wait, and the write is refused with 40001. The lock stops only
-- programs that take it.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);

-- session A target=bob
BEGIN;
SELECT pg_advisory_xact_lock_shared(8000150022), pg_advisory_xact_lock(hashtextextended('alice', 8000150021));
SELECT pg_advisory_xact_lock_shared(8000150022), pg_advisory_xact_lock(hashtextextended(:'target', 8000150021));
SELECT every(balance >= 800) FILTER (WHERE id = 'alice') AS enough
  FROM (SELECT id, balance FROM accounts WHERE id IN ('alice', :'target')) AS balances \gset
\if :enough
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' RETURNING id
), credited AS (
    UPDATE accounts SET balance = accounts.balance + 800 FROM deducted WHERE accounts.id = :'target' RETURNING accounts.id
)
INSERT INTO transfers SELECT deducted.id, credited.id, 800, 'success' FROM deducted, credited;
\else
INSERT INTO transfers VALUES ('alice', :'target', 800, 'failed_insufficient_funds');
\endif
COMMIT;

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
