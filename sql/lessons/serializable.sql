-- No lock at the read: PostgreSQL lets one of the two transactions fail, and the program repeats it.
-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric(12, 2) NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = 'bob';
\endif
COMMIT;

-- session B
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = 'charlie';
\endif
COMMIT;

-- invariant alice_is_not_negative
SELECT balance >= 0 FROM accounts WHERE id = 'alice';
