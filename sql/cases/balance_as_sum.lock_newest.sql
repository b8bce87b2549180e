-- The newest entry is locked before the balance is read.
-- Wrong: the newest entry is a moving target. The second program waits for the row that was the newest one, and gets
-- it although there is a newer one by now. The balance that is read from this row is old.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE entries (number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric NOT NULL,
                      balance_after numeric NOT NULL);
INSERT INTO entries (amount, balance_after) VALUES (1000, 1000);

-- session A
BEGIN;
SELECT balance_after >= 800 AS enough, balance_after - 800 AS rest
  FROM entries ORDER BY number DESC LIMIT 1 FOR UPDATE \gset
\if :enough
INSERT INTO entries (amount, balance_after) VALUES (-800, :rest);
\endif
COMMIT;

-- session B like A

-- invariant nobody_below_zero
SELECT sum(amount) >= 0 FROM entries;
