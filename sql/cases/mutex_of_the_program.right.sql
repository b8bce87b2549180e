-- The lab's strategy "process_mutex" on one server: a mutex of the program around the read, the check and the
-- deduction. An advisory lock of the session stands for the mutex.
-- Right while there is one program: all of its transfers take the same mutex.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

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

-- session B like A mutex=1

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;
