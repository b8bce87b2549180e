-- The lab's strategy "atomic_update": the WHERE of the UPDATE is the check, and one statement does all the writes.
-- Right: after the wait for the row, PostgreSQL evaluates the condition on the newest version of the row. If it does
-- not hold, the refusal is recorded unless the account covers the amount by then: such a transfer is repeated.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);
CREATE FUNCTION repeat_it() RETURNS void LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''repeat the transfer'' USING ERRCODE = ''serialization_failure''; END';

-- session A target=bob
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800
    WHERE id = 'alice' AND balance >= 800 AND EXISTS (SELECT FROM accounts WHERE id = :'target') RETURNING id
), credited AS (
    UPDATE accounts SET balance = accounts.balance + 800 FROM deducted WHERE accounts.id = :'target' RETURNING accounts.id
)
INSERT INTO transfers SELECT deducted.id, credited.id, 800, 'success' FROM deducted, credited RETURNING true AS paid \gset
\if :{?paid}
\else
INSERT INTO transfers SELECT source.id, target.id, 800, 'failed_insufficient_funds'
  FROM accounts source, accounts target
 WHERE source.id = 'alice' AND target.id = :'target' AND source.balance < 800 RETURNING true AS refused \gset
\if :{?refused}
\else
SELECT repeat_it();
\endif
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
