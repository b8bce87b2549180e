-- The lab's strategy "repeatable_read": plain reads and writes in a transaction that is REPEATABLE READ.
-- Right: PostgreSQL refuses to update a row that has changed since the snapshot of the transaction. The transfer that
-- is refused with 40001 must be repeated as a whole.
-- expect as-written: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);

-- session A target=bob
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT every(balance >= 800) FILTER (WHERE id = 'alice') AS enough
  FROM (SELECT id, balance FROM accounts WHERE id IN ('alice', :'target')) AS balances \gset
\if :enough
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' RETURNING id
), credited AS (
    UPDATE accounts SET balance = accounts.balance + 800 FROM deducted WHERE accounts.id = :'target' RETURNING accounts.id
)
INSERT INTO transfers SELECT deducted.id, credited.id, 800, 'success' FROM deducted, credited;
\else
INSERT INTO transfers VALUES ('alice', :'target', 800, 'failed_insufficient_funds');
\endif
COMMIT;

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
