-- The program deletes its own row only if the version of the row is the one that it has read.
-- Wrong at each level: the version of its own row has not changed. The rows that were counted have no such condition.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: anomaly, invariant

-- setup
CREATE TABLE admins (name text PRIMARY KEY, version integer NOT NULL DEFAULT 1);
INSERT INTO admins VALUES ('alice'), ('bob');

-- session A name=alice
SELECT count(*) >= 2 AS may_leave, max(version) FILTER (WHERE name = :'name') AS version FROM admins \gset
\if :may_leave
DELETE FROM admins WHERE name = :'name' AND version = :version;
\endif

-- session B like A name=bob

-- invariant somebody_is_left
SELECT count(*) >= 1 FROM admins;
