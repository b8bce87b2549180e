-- A worker looks for a job that nobody has, and marks it as its own.
-- Wrong: two workers find the same job, and it is paid twice.
-- expect rc: anomaly, invariant
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE jobs (id integer PRIMARY KEY, worker text);
CREATE TABLE payouts (job integer, worker text);
INSERT INTO jobs VALUES (1);

-- session A worker=a
BEGIN;
SELECT id AS job FROM jobs WHERE worker IS NULL ORDER BY id LIMIT 1 \gset
\if :{?job}
UPDATE jobs SET worker = :'worker' WHERE id = :job;
INSERT INTO payouts VALUES (:job, :'worker');
\endif
COMMIT;

-- session B like A worker=b

-- invariant paid_once
SELECT count(*) = count(DISTINCT job) FROM payouts;
