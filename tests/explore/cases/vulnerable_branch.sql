-- The lab's vulnerable transfer: it reads the balance, checks it, and deducts in a statement of its own.

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
CREATE TABLE transfers (source text, target text, amount numeric);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A target=bob
SELECT balance >= 800 AS enough FROM accounts WHERE id = 'alice' \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = :'target';
INSERT INTO transfers VALUES ('alice', :'target', 800);
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

