-- The key is unique, but it is written in a transaction of its own, before the payment.
-- Wrong: the repeated request finds the key and answers "paid" while nothing is paid yet. If the first request then
-- fails, the payment is lost. At every level, because the two writes are two transactions.
-- expect rc: anomaly
-- expect rr: anomaly
-- expect ser: anomaly

-- setup
CREATE TABLE accounts (id text PRIMARY KEY, balance numeric NOT NULL);
INSERT INTO accounts VALUES ('alice', 1000);
CREATE TABLE requests (key text PRIMARY KEY);

-- session A
INSERT INTO requests VALUES ('k1') ON CONFLICT DO NOTHING RETURNING true AS is_new \gset
\if :{?is_new}
UPDATE accounts SET balance = balance - 100 WHERE id = 'alice';
\endif
SELECT balance FROM accounts WHERE id = 'alice';

-- The same request, sent again by the client.
-- session B like A

-- invariant charged_once
SELECT balance >= 900 FROM accounts WHERE id = 'alice';
