-- The key is unique, and it is the first write of the transaction that makes the payment.
-- Right: the repeated request waits until the first one has ended, and then finds the key. If the first one has
-- failed, its key is gone with it.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);
CREATE TABLE requests (key text PRIMARY KEY);

-- session A
BEGIN;
INSERT INTO requests VALUES ('k1') ON CONFLICT DO NOTHING RETURNING true AS is_new \gset
\if :{?is_new}
UPDATE accounts SET balance = balance - 100 WHERE id = 'alice';
\endif
SELECT balance FROM accounts WHERE id = 'alice';
COMMIT;

-- The same request, sent again by the client.
-- session B like A

-- invariant charged_once
SELECT balance >= 900 FROM accounts WHERE id = 'alice';
