-- The program takes an advisory lock on the number of its own row before it counts.
-- Wrong: the numbers differ, so neither waits. One number for all administrators would do.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE admins (name text PRIMARY KEY);
INSERT INTO admins VALUES ('alice'), ('bob');

-- session A name=alice number=1
BEGIN;
SELECT pg_advisory_xact_lock(:number);
SELECT count(*) >= 2 AS may_leave FROM admins \gset
\if :may_leave
DELETE FROM admins WHERE name = :'name';
\endif
COMMIT;

-- session B like A name=bob number=2

-- invariant somebody_is_left
SELECT count(*) >= 1 FROM admins;
