-- The row of the account is locked before the entries are added up.
-- Right at READ COMMITTED only: at REPEATABLE READ the snapshot is older than the wait for the lock. The row was only
-- locked and not changed, so there is no error, and the sum is old.
-- expect rc: clean
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, entries integer NOT NULL DEFAULT 1);
CREATE TABLE entries (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account text NOT NULL, amount numeric NOT NULL);
INSERT INTO accounts VALUES ('alice');
INSERT INTO entries (account, amount) VALUES ('alice', 1000);

-- session A
BEGIN;
SELECT FROM accounts WHERE id = 'alice' FOR UPDATE;
SELECT sum(amount) >= 800 AS enough FROM entries WHERE account = 'alice' \gset
\if :enough
INSERT INTO entries (account, amount) VALUES ('alice', -800);
\endif
COMMIT;

-- session B like A

-- invariant nobody_below_zero
SELECT sum(amount) >= 0 FROM entries;
