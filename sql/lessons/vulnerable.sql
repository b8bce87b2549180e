-- Reads, decides, and deducts, each in a transaction of its own. Both can read 1000 before one of them deducts.
-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric(12, 2) NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A
SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = 'bob';
\endif

-- session B
SELECT balance, balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = 'charlie';
\endif

-- invariant alice_is_not_negative
SELECT balance >= 0 FROM accounts WHERE id = 'alice';
