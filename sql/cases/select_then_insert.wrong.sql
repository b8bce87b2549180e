-- The program looks for a user, and creates it if there is none (get_or_create, a validation of uniqueness).
-- Wrong: both look before either inserts, and there are two users of one name.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE users (name text);

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
