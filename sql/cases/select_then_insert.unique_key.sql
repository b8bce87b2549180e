-- The same with a unique key.
-- Half right: there is one user, but the program that comes second gets an error (23505) that it can never see while
-- it runs alone. At SERIALIZABLE it gets the error too, unless it repeats the transaction.
-- expect rc: error
-- expect rr: error
-- expect ser: clean

-- setup
CREATE TABLE users (name text PRIMARY KEY);

-- session A
BEGIN;
SELECT count(*) = 0 AS is_missing FROM users WHERE name = 'alice' \gset
\if :is_missing
INSERT INTO users VALUES ('alice');
\endif
COMMIT;

-- session B like A

-- invariant one_of_a_name
SELECT count(*) = count(DISTINCT name) FROM users;
