-- The first read takes the lock.
-- Right: the decision is made on the row as it is while the lock is held.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);

-- session A
BEGIN;
SELECT balance >= 800 AS enough, balance - 800 AS rest FROM accounts WHERE id = 'alice' FOR UPDATE \gset
\if :enough
UPDATE accounts SET balance = :rest WHERE id = 'alice';
\endif
COMMIT;

-- session B like A

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;
