-- The lab's strategy "optimistic": the row has a version, and the write asks that it is still the one that was read. No
-- transaction is open between the read and the write.
-- Right: the second transfer finds no row of the old version. The program then repeats the transfer; here the function
-- repeat_it() raises the error of a transaction that must be repeated.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL, version integer NOT NULL DEFAULT 1);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE TABLE transfers (source text, target text, amount numeric, status text);
CREATE FUNCTION repeat_it() RETURNS void LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''repeat the transfer'' USING ERRCODE = ''serialization_failure''; END';

-- session A target=bob
SELECT every(balance >= 800) FILTER (WHERE id = 'alice') AS enough,
       max(version) FILTER (WHERE id = 'alice') AS version
  FROM (SELECT id, balance, version FROM accounts WHERE id IN ('alice', :'target')) AS balances \gset
\if :enough
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800, version = version + 1
    WHERE id = 'alice' AND version = :version RETURNING id
), credited AS (
    UPDATE accounts SET balance = accounts.balance + 800, version = version + 1
    FROM deducted WHERE accounts.id = :'target' RETURNING accounts.id
)
INSERT INTO transfers SELECT deducted.id, credited.id, 800, 'success' FROM deducted, credited RETURNING true AS paid \gset
\if :{?paid}
\else
SELECT repeat_it();
\endif
\else
INSERT INTO transfers VALUES ('alice', :'target', 800, 'failed_insufficient_funds');
\endif

-- session B like A target=charlie

-- invariant nobody_below_zero
SELECT every(balance >= 0) FROM accounts;

-- invariant no_money_made
SELECT sum(balance) = 1700 FROM accounts;
