-- The program reads a row, decides to change it, and locks it then. An ORM's identity map does this too: it keeps the
-- object of the first read, and the values that FOR UPDATE returns are thrown away.
-- Wrong at READ COMMITTED: the lock is held, but the decision and the new balance are older than the lock.
-- expect rc: anomaly
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);

-- session A
BEGIN;
SELECT balance >= 800 AS enough, balance - 800 AS rest FROM accounts WHERE id = 'alice' \gset
\if :enough
SELECT balance FROM accounts WHERE id = 'alice' FOR UPDATE;
UPDATE accounts SET balance = :rest WHERE id = 'alice';
\endif
COMMIT;

-- session B like A

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;
