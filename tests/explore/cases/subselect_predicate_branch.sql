-- The check is in a sub-select: it keeps the old snapshot while the UPDATE waits for the row.

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A target=bob
UPDATE accounts SET balance = balance - 800
 WHERE id = 'alice' AND (SELECT balance FROM accounts WHERE id = 'alice') >= 800 RETURNING true AS paid \gset
\if :{?paid}
UPDATE accounts SET balance = balance + 800 WHERE id = :'target';
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

