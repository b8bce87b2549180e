-- The new balance is computed by the client: one of two withdrawals is lost.

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000), ('bob', 500), ('charlie', 200);

-- session A amount=100
BEGIN;
SELECT balance - :amount AS rest FROM accounts WHERE id = 'alice' \gset
UPDATE accounts SET balance = :rest WHERE id = 'alice';
COMMIT;

-- session B like A amount=200
