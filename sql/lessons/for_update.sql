-- The read locks the row until COMMIT, so the second read waits and then sees what the first transfer left.
-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric(12, 2) NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A
BEGIN;
SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' FOR UPDATE \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = 'bob';
\endif
COMMIT;

-- session B
BEGIN;
SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' FOR UPDATE \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = 'charlie';
\endif
COMMIT;

-- invariant alice_is_not_negative
SELECT balance >= 0 FROM accounts WHERE id = 'alice';
