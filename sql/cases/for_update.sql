-- The lab's strategy "for_update": both rows are locked, in the order of their ids, when they are read.
-- Right: the second transfer waits, and then reads the balance that the first one has committed. At the higher levels
-- it is refused with 40001 instead, and the program must repeat it.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);

-- session A target=bob
BEGIN;
SELECT every(balance >= 800) FILTER (WHERE id = 'alice') AS enough
  FROM (SELECT id, balance FROM accounts WHERE id IN ('alice', :'target') ORDER BY id FOR UPDATE) AS locked \gset
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
