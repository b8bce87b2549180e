-- CHECK (balance >= 0) is the net: "the database refuses a balance below zero".
-- Wrong: the program writes back the balance that it has computed, so both write 200. No balance is below zero, the
-- constraint is silent, and one of the payments is lost from the balance.
-- expect rc: anomaly, invariant
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL CHECK (balance >= 0));
INSERT INTO accounts VALUES ('alice', 1000);
CREATE TABLE payments (payee text, amount numeric);

-- session A payee=bob
BEGIN;
SELECT balance >= 800 AS enough, balance - 800 AS rest FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = :rest WHERE id = 'alice';
INSERT INTO payments VALUES (:'payee', 800);
\endif
COMMIT;

-- session B like A payee=charlie

-- invariant nothing_lost
SELECT (SELECT balance FROM accounts) + (SELECT coalesce(sum(amount), 0) FROM payments) = 1000;
