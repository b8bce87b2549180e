-- The same in one statement: the count is in the WHERE.
-- Wrong: the count is a sub-select on the statement's snapshot, and the two statements delete different rows, so
-- neither waits for the other.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE admins (name text PRIMARY KEY);
INSERT INTO admins VALUES ('alice'), ('bob');

-- session A name=alice
DELETE FROM admins WHERE name = :'name' AND (SELECT count(*) FROM admins) >= 2;

-- session B like A name=bob

-- invariant somebody_is_left
SELECT count(*) >= 1 FROM admins;
