-- SKIP LOCKED is meant to see other rows than a serial order: only the invariant judges.

-- serializable: no

-- setup
CREATE TABLE jobs (id integer PRIMARY KEY, done_by text);
INSERT INTO jobs VALUES (1), (2), (3);
CREATE TABLE done (job integer, worker text);

-- session A worker=a
BEGIN;
SELECT id AS job FROM jobs WHERE done_by IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED \gset
UPDATE jobs SET done_by = :'worker' WHERE id = :job;
INSERT INTO done VALUES (:job, :'worker');
COMMIT;

-- session B like A worker=b

-- invariant each_job_once
SELECT count(*) = count(DISTINCT job) FROM done;
