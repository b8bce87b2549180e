-- The program locks its own row before it counts. So do transfers that lock their own accounts.
-- Wrong: each program locks another row, so neither waits. The rows that are counted must be locked.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE admins (name text PRIMARY KEY);
INSERT INTO admins VALUES ('alice'), ('bob');

-- session A name=alice
BEGIN;
SELECT FROM admins WHERE name = :'name' FOR UPDATE;
SELECT count(*) >= 2 AS may_leave FROM admins \gset
\if :may_leave
DELETE FROM admins WHERE name = :'name';
\endif
COMMIT;

-- session B like A name=bob

-- invariant somebody_is_left
SELECT count(*) >= 1 FROM admins;
