-- The lab's strategy "optimistic": the row has a version, and the write asks that it is still the one that was read.
-- Right: the second transfer finds no row of the old version. The program then forgets the attempt and repeats it;
-- here the function repeat_it() raises the error of a transaction that must be repeated. The lab reads before it
-- begins the transaction. This file reads inside it, so that the whole attempt is one transaction that the explorer
-- can forget.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL, version integer NOT NULL DEFAULT 1);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);
CREATE FUNCTION repeat_it() RETURNS void LANGUAGE plpgsql AS
    'BEGIN RAISE EXCEPTION ''the version has changed'' USING ERRCODE = ''serialization_failure''; END';

-- session A target=bob
BEGIN;
SELECT balance >= 800 AS enough, version FROM accounts WHERE id = 'alice' \gset
\if :enough
WITH deducted AS (
    UPDATE accounts SET balance = balance - 800, version = version + 1
    WHERE id = 'alice' AND version = :version RETURNING id
)
UPDATE accounts SET balance = accounts.balance + 800, version = version + 1 FROM deducted
 WHERE accounts.id = :'target' RETURNING true AS paid \gset
\if :{?paid}
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
