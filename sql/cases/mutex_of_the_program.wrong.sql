-- The lab's strategy "process_mutex" on two servers: each program has a mutex of its own, so the numbers of the locks
-- differ.
-- Wrong: no transfer of one server waits for a transfer of the other one.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: anomaly, invariant

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('charlie', 200);

-- session A mutex=1
SELECT pg_advisory_lock(:mutex);
SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
\endif
SELECT pg_advisory_unlock(:mutex);

-- session B like A mutex=2

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;
