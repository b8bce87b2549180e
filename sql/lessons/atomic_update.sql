-- The rule is part of the UPDATE, so PostgreSQL checks it again when the row is free.
-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric(12, 2) NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A
BEGIN;
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' AND balance >= 800 RETURNING balance \gset
\if :{?balance}
UPDATE accounts SET balance = balance + 800 WHERE id = 'bob';
\endif
COMMIT;

-- session B
BEGIN;
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' AND balance >= 800 RETURNING balance \gset
\if :{?balance}
UPDATE accounts SET balance = balance + 800 WHERE id = 'charlie';
\endif
COMMIT;

-- invariant alice_is_not_negative
SELECT balance >= 0 FROM accounts WHERE id = 'alice';
