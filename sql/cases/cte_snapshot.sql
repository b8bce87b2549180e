-- The lab's strategy "cte_snapshot": a CTE reads the balance, and the UPDATE computes the new one from it.
-- Wrong at READ COMMITTED: the UPDATE waits for the row, but the CTE keeps the snapshot from before the wait. The new
-- balance replaces what the other transfer has written.
-- expect rc: anomaly, invariant
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);
CREATE FUNCTION repeat_it() RETURNS void LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''repeat the transfer'' USING ERRCODE = ''serialization_failure''; END';

-- session A target=bob
BEGIN;
WITH snapshot AS (
    SELECT id, balance FROM accounts WHERE id = 'alice'
), deducted AS (
    UPDATE accounts SET balance = snapshot.balance - 800 FROM snapshot
    WHERE accounts.id = snapshot.id AND snapshot.balance >= 800
      AND EXISTS (SELECT FROM accounts WHERE id = :'target') RETURNING accounts.id
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
COMMIT;

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
