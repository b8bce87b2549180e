-- The lab's strategy "advisory_lock": a transfer locks a number that belongs to the account before it reads.
-- Right at READ COMMITTED: the read is a statement of its own, so its snapshot is newer than the wait for the lock. At
-- the higher levels the snapshot is older than the wait, and the write is refused with 40001. The lock stops only
-- programs that take it.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A target=bob
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('alice'));
SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance + CASE id WHEN 'alice' THEN -800 ELSE 800 END WHERE id IN ('alice', :'target');
\endif
COMMIT;

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
