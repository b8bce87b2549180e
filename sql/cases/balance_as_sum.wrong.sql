-- The balance is the sum of the entries of a ledger. The program adds them up, and inserts one more.
-- Wrong: both add up before either inserts.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, entries integer NOT NULL DEFAULT 1);
CREATE TABLE entries (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, amount numeric NOT NULL);
INSERT INTO accounts VALUES ('alice');
INSERT INTO entries (account, amount) VALUES ('alice', 1000);

-- session A
BEGIN;
SELECT sum(amount) >= 800 AS enough FROM entries WHERE account = 'alice' \gset
\if :enough
INSERT INTO entries (account, amount) VALUES ('alice', -800);
\endif
COMMIT;

-- session B like A

-- invariant nobody_below_zero
SELECT sum(amount) >= 0 FROM entries;
