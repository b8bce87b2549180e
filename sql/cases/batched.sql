-- The lab's strategy "batched": a batch posts all of its transfers in one statement if the account covers them. If it
-- does not, the batch locks the rows and judges each transfer. Here a batch has one transfer, and a condition stands
-- for the division by zero that undoes the lab's statement.
-- Right with several servers: each session is the batch of a server, and row locks separate them.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);

-- session A target=bob
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800 WHERE id = 'alice' AND balance >= 800 RETURNING id
), credited AS (
    UPDATE accounts SET balance = accounts.balance + 800 FROM deducted WHERE accounts.id = :'target' RETURNING accounts.id
)
INSERT INTO transfers SELECT deducted.id, credited.id, 800, 'success' FROM deducted, credited RETURNING true AS paid \gset
\if :{?paid}
\else
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
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
