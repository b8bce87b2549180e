-- Two transactions lock two rows in opposite order.

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A first=alice second=bob
BEGIN;
UPDATE accounts SET balance = balance + 1 WHERE id = :'first';
UPDATE accounts SET balance = balance + 1 WHERE id = :'second';
COMMIT;

-- session B like A first=bob second=alice
