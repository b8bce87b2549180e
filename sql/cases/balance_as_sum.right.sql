-- The row of the account is changed before the entries are added up: it counts them.
-- Right at every level: the second program waits for the row at READ COMMITTED. At the higher levels it is refused
-- with 40001, because the row has changed.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, entries integer NOT NULL DEFAULT 1);
CREATE TABLE entries (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, amount numeric NOT NULL);
INSERT INTO accounts VALUES ('alice');
INSERT INTO entries (account, amount) VALUES ('alice', 1000);

-- session A
BEGIN;
UPDATE accounts SET entries = entries + 1 WHERE id = 'alice';
SELECT sum(amount) >= 800 AS enough FROM entries WHERE account = 'alice' \gset
\if :enough
INSERT INTO entries (account, amount) VALUES ('alice', -800);
COMMIT;
\else
ROLLBACK;
\endif

-- session B like A

-- invariant nobody_below_zero
SELECT sum(amount) >= 0 FROM entries;
