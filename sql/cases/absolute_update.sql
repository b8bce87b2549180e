-- The lab's strategy "absolute_update": the program computes the new balances and writes them back, as an ORM's save()
-- does.
-- Wrong: the write replaces what another transfer has written since the read. No balance goes below zero, so a CHECK
-- constraint stays silent, and money is made.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: anomaly, invariant

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);

-- session A target=bob
SELECT source.balance - 800 AS source_after, target.balance + 800 AS target_after, source.balance >= 800 AS enough
  FROM accounts source, accounts target WHERE source.id = 'alice' AND target.id = :'target' \gset
\if :enough
UPDATE accounts SET balance = :source_after WHERE id = 'alice';
UPDATE accounts SET balance = :target_after WHERE id = :'target';
INSERT INTO transfers VALUES ('alice', :'target', 800, 'success');
\else
INSERT INTO transfers VALUES ('alice', :'target', 800, 'failed_insufficient_funds');
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
