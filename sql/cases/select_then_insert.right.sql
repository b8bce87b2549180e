-- The unique key decides, and the program reads afterwards, in a statement of its own.
-- Right: ON CONFLICT DO NOTHING waits for the other insert, and the SELECT has a snapshot from after the wait.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE users (name text PRIMARY KEY, plan text NOT NULL);

-- session A plan=free
BEGIN;
INSERT INTO users VALUES ('alice', :'plan') ON CONFLICT DO NOTHING;
SELECT name, plan FROM users WHERE name = 'alice';
COMMIT;

-- session B like A plan=paid

-- invariant one_of_a_name
SELECT count(*) = count(DISTINCT name) FROM users;
