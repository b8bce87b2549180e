-- The lab's strategy "vulnerable": the program reads the balance, checks it, and deducts in a statement of its own.
-- Wrong: each statement commits on its own, so another transfer reads the same balance in between. A higher isolation
-- level does not help, because there is no transaction that it could watch.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: anomaly, invariant

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);

-- session A target=bob
SELECT every(balance >= 800) FILTER (WHERE id = 'alice') AS enough
  FROM (SELECT id, balance FROM accounts WHERE id IN ('alice', :'target')) AS balances \gset
\if :enough
UPDATE accounts SET balance = balance - 800 WHERE id = 'alice';
UPDATE accounts SET balance = balance + 800 WHERE id = :'target';
INSERT INTO transfers VALUES ('alice', :'target', 800, 'success');
\else
INSERT INTO transfers VALUES ('alice', :'target', 800, 'failed_insufficient_funds');
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
