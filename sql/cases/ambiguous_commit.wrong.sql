-- The answer to a payment is lost, for example because the connection broke at the COMMIT. The client sends the
-- request again. The program has an idempotency key, and looks whether it knows the key.
-- Wrong at READ COMMITTED: the first request may still be running, so both find no key, and the payment is made twice.
-- The higher levels refuse this only because both requests change the same account.
-- expect rc: anomaly, invariant
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);
CREATE TABLE requests (key text);

-- session A
BEGIN;
SELECT count(*) = 0 AS is_new FROM requests WHERE key = 'k1' \gset
\if :is_new
INSERT INTO requests VALUES ('k1');
UPDATE accounts SET balance = balance - 100 WHERE id = 'alice';
\endif
COMMIT;

-- The same request, sent again by the client.
-- session B like A

-- invariant charged_once
SELECT balance >= 900 FROM accounts WHERE id = 'alice';
