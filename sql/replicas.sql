-- The statements of a replica's link, the one session with which several programs share their settings and the barrier
-- (workers/replicas). Embedded by embed.awk: REPLICAS_<NAME>, sql_replicas[]. Statements that are sent together are one
-- transaction, and each of them has a snapshot of its own: READ COMMITTED.

-- ---- The start of a session ----

-- The link does not wait long for a lock: every holder of one of its rows commits at once.
-- name: work_in
SELECT set_config('search_path', quote_ident($1) || ', pg_temp', false),
       set_config('statement_timeout', '5s', false), set_config('lock_timeout', '4s', false);

-- A replica is alive while its session holds the lock of its name. Another session sees the lock, and PostgreSQL frees
-- it when the process or its machine has died. The name is unique within the schema. The first number is the lab's own.
-- name: claim
SELECT pg_try_advisory_lock(211500, hashtext(current_schema() || ' ' || $1)), pg_backend_pid(),
       current_schema()::regnamespace::oid;

-- name: listen
LISTEN lab_replicas;

-- The settings of the environment count only for the first replica. The gate version of a program alone is 1.
-- name: begin_settings
INSERT INTO lab_settings (settings, changed_by)
SELECT $2::jsonb, $1 WHERE NOT EXISTS (SELECT FROM lab_settings)
ON CONFLICT DO NOTHING;

-- name: register
INSERT INTO lab_replicas (name, url, started_at, seen_at, settings_version, backend)
VALUES ($1, $2, 'epoch'::timestamptz + $3::bigint * interval '1 microsecond', clock_timestamp(), 0, pg_backend_pid())
ON CONFLICT (name) DO UPDATE
SET url = excluded.url, started_at = excluded.started_at, seen_at = excluded.seen_at, settings_version = 0,
    backend = excluded.backend;

-- The rounds of this replica's waiters that were closed while it had no session, as the notifications say it.
-- name: missed_rounds
SELECT DISTINCT own.round, round_of.members
FROM lab_arrivals own,
     LATERAL (SELECT string_agg(id, ' ' ORDER BY seq) AS members FROM lab_arrivals WHERE round = own.round) AS round_of
WHERE own.replica = $1 AND own.round IS NOT NULL AND own.id = ANY ($2::text[]);

-- The waiters that still wait arrive again under the new session.
-- name: forget_arrivals
DELETE FROM lab_arrivals WHERE replica = $1;

-- ---- The settings ----

-- name: read_settings
SELECT version, gates, settings FROM lab_settings;

-- The UPDATE waits for another one and then reads the row again, so two changes at once are both kept. $1: the changed
-- settings alone.
-- name: change_settings
WITH changed AS (
    UPDATE lab_settings
    SET settings = settings || $1::jsonb, version = version + 1, changed_by = $2, changed_at = clock_timestamp(),
        gates = gates + ((settings || $1::jsonb) - 'strategy' <> settings - 'strategy')::integer
    RETURNING version, gates, settings
)
SELECT version, gates, settings,
       pg_notify('lab_replicas', concat_ws(' ', current_schema()::regnamespace::oid, 'settings', version, gates,
                                           settings))
FROM changed;

-- ---- The barrier ----

-- One replica at a time looks at the barrier. The next statement has a snapshot of its own, taken after the wait for
-- the row. A crash of the server ends all waits, so the commit need not be on its disk.
-- name: lock_barrier
SELECT set_config('synchronous_commit', 'off', true), version FROM lab_settings FOR UPDATE OF lab_settings;

-- Waiters with other settings are left out: their gate is about to open.
-- name: arrive
INSERT INTO lab_arrivals (id, replica, backend, gates)
SELECT id, $1, pg_backend_pid(), gates FROM lab_settings, unnest($2::text[]) AS id
WHERE gates = $3::bigint;

-- Closes a round for each barrier_count waiters of replicas that are alive, in the order of their arrival. Every
-- replica is notified of every round.
-- name: close_rounds
WITH alive AS MATERIALIZED (
    SELECT pid, objid FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 211500 AND objsubid = 2 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), waiting AS (
    SELECT a.seq, row_number() OVER (ORDER BY a.seq) - 1 AS place, count(*) OVER () AS arrived,
           (s.settings ->> 'barrier_count')::bigint AS parties, s.round
    FROM lab_settings s
    JOIN lab_arrivals a ON a.round IS NULL AND a.gates = s.gates
    JOIN alive ON alive.pid = a.backend
              AND alive.objid::bigint = (hashtext(current_schema() || ' ' || a.replica)::bigint & 4294967295)
), closed AS (
    UPDATE lab_arrivals SET round = waiting.round + 1 + waiting.place / waiting.parties
    FROM waiting
    WHERE lab_arrivals.seq = waiting.seq AND waiting.place < waiting.arrived - waiting.arrived % waiting.parties
    RETURNING lab_arrivals.seq, lab_arrivals.id, lab_arrivals.round
), counted AS (
    UPDATE lab_settings SET round = (SELECT max(round) FROM closed) WHERE EXISTS (SELECT FROM closed)
)
SELECT pg_notify('lab_replicas', concat_ws(' ', current_schema()::regnamespace::oid, 'barrier',
                                           string_agg(id, ' ' ORDER BY seq)))
FROM closed GROUP BY round ORDER BY round;

-- After a reset: nobody waits any more. One notification holds so many names at most.
-- name: release_all
WITH released AS (
    UPDATE lab_arrivals SET round = 0 WHERE round IS NULL RETURNING seq, id
)
SELECT pg_notify('lab_replicas', concat_ws(' ', current_schema()::regnamespace::oid, 'reset',
                                           string_agg(id, ' ' ORDER BY seq)))
FROM (SELECT seq, id, (row_number() OVER (ORDER BY seq) - 1) / 400 AS part FROM released) AS parts GROUP BY part;

-- Returns those of the waiters $2 whose round is closed: they are released. The others are not counted any more.
-- name: withdraw
DELETE FROM lab_arrivals WHERE replica = $1 AND id = ANY ($2::text[]) AND round IS NULL;

-- name: closed_of
SELECT id FROM lab_arrivals WHERE replica = $1 AND id = ANY ($2::text[]) AND round IS NOT NULL;

-- ---- Every second ----

-- name: beat
UPDATE lab_replicas SET seen_at = clock_timestamp(), settings_version = $2::bigint WHERE name = $1;

-- Waiters that were released and have gone ($2: those that still wait here), waiters with old settings, and waiters of
-- replicas that have died.
-- name: clean
DELETE FROM lab_arrivals a USING lab_settings s
WHERE a.replica = $1 AND a.round IS NOT NULL AND NOT a.id = ANY ($2::text[])
   OR a.round IS NULL AND a.gates < s.gates
   OR NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 211500 AND objsubid = 2
                                         AND pid = a.backend AND granted);

-- A replica that ended long ago is not listed any more.
-- name: forget_replicas
DELETE FROM lab_replicas WHERE seen_at < clock_timestamp() - interval '1 hour';

-- name: leave
DELETE FROM lab_replicas WHERE name = $1 AND backend = pg_backend_pid();
