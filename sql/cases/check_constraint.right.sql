-- The UPDATE deducts from the balance that is there, nobody looks first, and the constraint alone decides.
-- Right for this rule: the second program waits, and gets the error 23514, as it does when it runs alone after the
-- first.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL CHECK (balance >= 0));
INSERT INTO accounts VALUES ('alice', 1000);
CREATE TABLE payments (payee text, amount numeric);

-- session A payee=bob
BEGIN;
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
INSERT INTO payments VALUES (:'payee', 800);
COMMIT;

-- session B like A payee=charlie

-- invariant nothing_lost
SELECT (SELECT balance FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM payments) = 1000;
