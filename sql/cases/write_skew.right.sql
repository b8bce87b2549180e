-- The rows that are counted are locked, in one order.
-- Right: the second program waits, and then counts without the row that the first one has deleted.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE admins (name text PRIMARY KEY);
INSERT INTO admins VALUES ('alice'), ('bob');

-- session A name=alice
BEGIN;
SELECT count(*) >= 2 AS may_leave FROM (SELECT FROM admins ORDER BY name FOR UPDATE) AS locked \gset
\if :may_leave
DELETE FROM admins WHERE name = :'name';
\endif
COMMIT;

-- session B like A name=bob

-- invariant somebody_is_left
SELECT count(*) >= 1 FROM admins;
