-- An administrator may leave while another one stays. The program counts, and deletes its own row.
-- Wrong: each of the two sees the other one, and both leave. They change different rows, so REPEATABLE READ sees no
-- conflict.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE admins (name text PRIMARY KEY);
INSERT INTO admins VALUES ('alice'), ('bob');

-- session A name=alice
BEGIN;
SELECT count(*) >= 2 AS may_leave FROM admins \gset
\if :may_leave
DELETE FROM admins WHERE name = :'name';
\endif
COMMIT;

-- session B like A name=bob

-- invariant somebody_is_left
SELECT count(*) >= 1 FROM admins;
