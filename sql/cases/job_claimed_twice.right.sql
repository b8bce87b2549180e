-- The look takes the lock, and SKIP LOCKED leaves the jobs of other workers alone.
-- Right: no two workers get one job. A worker may find no job although one comes free a moment later, so the outcomes
-- need not be those of a serial order: only the invariant judges.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- serializable: no

-- setup
CREATE TABLE jobs (id integer PRIMARY KEY, worker text);
CREATE TABLE payouts (job integer, worker text);
INSERT INTO jobs VALUES (1);

-- session A worker=a
BEGIN;
SELECT id AS job FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED \gset
\if :{?job}
UPDATE jobs SET worker = :'worker' WHERE id = :job;
INSERT INTO payouts VALUES (:job, :'worker');
\endif
COMMIT;

-- session B like A worker=b

-- invariant paid_once
SELECT count(*) = count(DISTINCT job) FROM payouts;
