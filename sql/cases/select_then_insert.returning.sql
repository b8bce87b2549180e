-- One statement inserts the user, or returns the one that exists.
-- Wrong at READ COMMITTED: ON CONFLICT DO NOTHING waits for the other insert, but the second half of the statement
-- keeps the snapshot from before the wait. It returns no row at all, which no program expects.
-- expect rc: anomaly
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE users (name text PRIMARY KEY, plan text NOT NULL);

-- session A plan=free
WITH inserted AS (
    INSERT INTO users VALUES ('alice', :'plan') ON CONFLICT DO NOTHING RETURNING name, plan
)
SELECT name, plan FROM inserted UNION ALL SELECT name, plan FROM users WHERE name = 'alice';

-- session B like A plan=paid
