-- The UPDATE deducts from the balance that is there, and the program looks first.
-- Half right: the constraint holds, but the program that comes second gets an error (23514) that it can never see
-- while it runs alone, because its look says that there is enough.
-- expect rc: error
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL CHECK (balance >= 0));
INSERT INTO accounts VALUES ('alice', 1000);
CREATE TABLE payments (payee text, amount numeric);

-- session A payee=bob
BEGIN;
SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
INSERT INTO payments VALUES (:'payee', 800);
\endif
COMMIT;

-- session B like A payee=charlie

-- invariant nothing_lost
SELECT (SELECT balance FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM payments) = 1000;
