-- A lock outside of the transaction (a mutex, Redis, here an advisory lock of the session) is released before COMMIT:
-- the method that takes the lock is called inside of the method that opens the transaction.
-- Wrong at READ COMMITTED: between the release and the COMMIT the next program has the lock and reads the old balance.
-- expect rc: anomaly, invariant
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);

-- session A
BEGIN;
SELECT pg_advisory_lock(1);
SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
\endif
SELECT pg_advisory_unlock(1);
COMMIT;

-- session B like A

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;
