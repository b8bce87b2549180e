-- The lock is taken before the transaction begins, and released after it has been committed.
-- Right: the next program reads what has been committed.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);

-- session A
SELECT pg_advisory_lock(1);
BEGIN;
SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
\endif
COMMIT;
SELECT pg_advisory_unlock(1);

-- session B like A

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;
