-- Every statement the program runs, each under the name the metrics and the spans give it:
--     -- name: <name> <OPERATION> <table>
-- Parameters are text; money travels as decimal text, never as floating point.

-- Runs after session.sql and sets the limits of the program, and the settings that not every PostgreSQL version has
-- (transaction_timeout since 17). An acknowledged COMMIT must survive a crash, so synchronous_commit may be stronger
-- than "on", but not "off".
-- name: session_setup SELECT settings
SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),
       (SELECT count(set_config(needed.name, needed.value, false))
        FROM (VALUES ('transaction_timeout', '0', NULL),
                     ('restrict_nonsystem_relation_kind', '', NULL),
                     ('synchronous_commit', 'on', 'off')) AS needed (name, value, instead_of)
        JOIN pg_settings present USING (name)
        WHERE present.setting = needed.instead_of OR needed.instead_of IS NULL);

-- Returns "on" for a standby or a demoted primary, and the database's clock in microseconds since 1970.
-- name: ping SELECT settings
SELECT current_setting('transaction_read_only'), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;

-- A sort of about 1 MB with 64 kB of memory uses a temporary file.
-- name: probe_memory SELECT settings
SELECT set_config('work_mem', '64kB', true);

-- name: probe_room SELECT none
SELECT count(*) FROM (SELECT n FROM generate_series(1, 30000) AS n ORDER BY -n OFFSET 0) AS sorted;

-- name: begin BEGIN none
BEGIN ISOLATION LEVEL READ COMMITTED;

-- name: begin_repeatable_read BEGIN none
BEGIN ISOLATION LEVEL REPEATABLE READ;

-- name: begin_serializable BEGIN none
BEGIN ISOLATION LEVEL SERIALIZABLE;

-- The first statement of a transaction with several reads that must see one snapshot.
-- name: begin_reading BEGIN none
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- Runs before the first of these reads. TRUNCATE empties the transfers table also for transactions with an older
-- snapshot, so no TRUNCATE may run between the reads.
-- name: keep_log LOCK transfers
LOCK TABLE transfers IN ACCESS SHARE MODE;

-- Limits the rest of a transaction that has less time than the session allows: no statement takes longer than $1
-- milliseconds, and no wait for a lock longer than $2. PostgreSQL enforces the limits, so no session is left behind
-- that still waits.
-- name: limit_time SELECT settings
SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', $2, true);

-- name: commit COMMIT none
COMMIT;

-- name: rollback ROLLBACK none
ROLLBACK;

-- ---- The schema ----

-- The schema of the lab's tables, unless BANK_API_SCHEMA names it: the schema where the search_path finds the accounts,
-- else the schema where the search_path would create them. The other column names a relation with one of the lab's
-- names that the search_path finds in another schema: clients of that relation would get the lab's relation, or the lab
-- would get theirs.
-- name: schema_home SELECT pg_class
WITH named AS (
    SELECT found[1] AS name, c.relnamespace::regnamespace::text AS schema
    FROM regexp_matches($1, '^CREATE (?:OR REPLACE )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?([a-z_]+)', 'gn') AS found
    LEFT JOIN pg_class c ON c.oid = to_regclass(found[1])
), home AS (
    SELECT coalesce((SELECT schema FROM named WHERE name = 'accounts'), quote_ident(current_schema())) AS schema
)
SELECT (parse_ident(home.schema))[1],
       (SELECT format('%s.%s', named.schema, name) FROM named WHERE named.schema <> home.schema ORDER BY name LIMIT 1),
       current_setting('search_path')
FROM home;

-- name: schema_path_reset RESET settings
RESET search_path;

-- Sets the search_path to the lab's schema and the catalogue only, so that no other program's table can hide one of the
-- lab's. Returns whether the tables of the script $2 exist and have the lab's mark. $3: only in this transaction.
-- name: session_schema SELECT pg_class
SELECT set_config('search_path', quote_ident($1) || ', pg_temp', $3::boolean),
       (SELECT bool_and(coalesce(obj_description(to_regclass(format('%I.%I', $1::text, found[1])), 'pg_class'), '')
                        LIKE 'bank-api schema %')
        FROM regexp_matches($2, '^CREATE TABLE IF NOT EXISTS ([a-z_]+)', 'gn') AS found);

-- The transfers of this session are records of this replica (the column transfers.replica).
-- name: session_replica SELECT settings
SELECT set_config('lab.replica', $1, false);

-- The objects that the scripts in $1 make, and the object that the schema $2 has under each name.
-- part: lab_object
WITH object AS (
    SELECT kind, name, identity, catalogue, id, obj_description(id, catalogue) AS comment,
           coalesce(obj_description(id, catalogue), '') LIKE 'bank-api schema %' AS is_marked
    FROM (SELECT *, CASE kind WHEN 'FUNCTION' THEN 'pg_proc' ELSE 'pg_class' END AS catalogue,
                 CASE kind WHEN 'FUNCTION' THEN to_regprocedure(identity)::oid ELSE to_regclass(identity)::oid END AS id
          FROM (SELECT found[1] AS kind, found[2] AS name,
                       format('%I.%I', $2::text, found[2]) ||
                       regexp_replace(coalesce(found[3], ''), '\s*\w+ (\w+)', '\1', 'g') AS identity
                FROM regexp_matches($1, '^CREATE (?:OR REPLACE )?(TABLE|VIEW|FUNCTION) (?:IF NOT EXISTS )?'
                                        '([a-z_]+)(?:(\([^)]*\))\s*RETURNS)?', 'gw') AS found) AS made) AS looked_up
)

-- The mark is the comment of an object that is as these scripts made it: their hash, and a hash of the object's own
-- catalogue rows. The catalogue rows are compared raw, because the functions that decompile them would lock the tables.
-- part: lab_mark
, marked AS (
    SELECT *, 'bank-api schema ' || hashtextextended($1, 0) || ' ' || md5(
        CASE catalogue
            WHEN 'pg_proc' THEN
                (SELECT concat_ws('|', prosrc, prolang, provolatile, prosecdef, proconfig, prorettype, proallargtypes,
                                  proargnames)
                 FROM pg_proc WHERE oid = id)
            ELSE
                (SELECT concat_ws('|', relkind, relpersistence, relrowsecurity, relforcerowsecurity)
                 FROM pg_class WHERE oid = id) ||
                coalesce((SELECT string_agg(concat_ws(' ', attname, atttypid, atttypmod, attcollation, attnotnull,
                                                      attidentity, attgenerated, adbin::text), ',' ORDER BY attnum)
                          FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
                          WHERE attrelid = id AND attnum > 0 AND NOT attisdropped), '') ||
                coalesce((SELECT string_agg(concat_ws(' ', conname, contype, conkey, convalidated, conbin::text), ','
                                            ORDER BY conname)
                          FROM pg_constraint WHERE conrelid = id), '') ||
                coalesce((SELECT string_agg(concat_ws(' ', rulename, ev_enabled, ev_action::text), ',' ORDER BY rulename)
                          FROM pg_rewrite WHERE ev_class = id), '') ||
                coalesce((SELECT string_agg(concat_ws(' ', tgname, tgtype, tgenabled), ',' ORDER BY tgname)
                          FROM pg_trigger WHERE tgrelid = id AND NOT tgisinternal), '') ||
                (SELECT count(*) FROM pg_inherits WHERE id IN (inhparent, inhrelid))
        END) AS mark
    FROM object
)

-- Whether all objects exist as these scripts make them, and which privileges the role lacks. It reads the catalogue
-- only, so a lock on a table does not block it.
-- name: schema_is_there SELECT pg_class
-- insert: lab_object
-- insert: lab_mark
SELECT bool_and(id IS NOT NULL AND comment IS NOT DISTINCT FROM mark),
       (SELECT string_agg(privilege || ' on ' || name, ', ' ORDER BY name, privilege)
        FROM marked, unnest(CASE kind WHEN 'TABLE' THEN '{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'
                                      WHEN 'VIEW' THEN '{SELECT}' END::text[]) AS privilege
        WHERE id IS NOT NULL AND NOT has_table_privilege(id, privilege)),
       current_user
FROM marked;

-- Returns the statements that mark the objects, one a row: COMMENT takes no parameters.
-- name: schema_marks SELECT none
-- insert: lab_object
-- insert: lab_mark
SELECT format('COMMENT ON %s %s IS %L', kind, identity, mark) FROM marked;

-- One server at a time changes the schema. The number is the lab's own and has no other meaning. The wait for a table
-- or view that another transaction has locked is short: the program tries again after a second.
-- name: schema_lock SELECT none
SELECT set_config('lock_timeout', '2s', true), pg_advisory_xact_lock(8000150021);

-- Between the two statements schema.sql makes its tables as temporary ones, to compare the existing tables with. So the
-- shape of a table is written in schema.sql only.
-- name: schema_reference_begin SAVEPOINT none
SAVEPOINT lab_reference;

-- name: schema_reference_path SELECT none
SELECT set_config('search_path', 'pg_temp', true);

-- name: schema_reference_end ROLLBACK none
ROLLBACK TO SAVEPOINT lab_reference;

-- The steps that are needed before the scripts can run, in order. A row is a statement, or NULL and the reason why the
-- scripts must not run. No row means that nothing must be done. If a column or constraint differs, an older schema.sql
-- has made it, and `older` has the step that changes it; otherwise the table is not the lab's. A table with the lab's
-- mark may have more: columns that a row can do without, constraints, and triggers that do not change a row.
-- name: schema_differences SELECT pg_class
-- insert: lab_object
, older (name, what, shape, step) AS (VALUES
    ('accounts', 'column id', 'text NOT NULL', 'ALTER COLUMN id TYPE text COLLATE "C"'),
    ('accounts', 'check of id', 'CHECK (((length(id) >= 1) AND (length(id) <= 64)))',
     'DROP CONSTRAINT accounts_id_check, ADD CHECK (octet_length(id) BETWEEN 1 AND 64)'),
    ('transfers', 'column anomaly', NULL, 'ADD COLUMN anomaly text'),
    ('transfers', 'column replica', NULL,
     'ADD COLUMN replica text DEFAULT nullif(current_setting(''lab.replica'', true), '''')'),
    ('past_transfers', 'column replica', NULL, 'ADD COLUMN replica text'),
    ('transfers', 'check of anomaly', NULL, 'ADD CHECK (anomaly IN (''double_spend'', ''lost_update'', ''stale_read''))'),
    ('lab_totals', 'column money_drift', 'numeric(17,2) NOT NULL DEFAULT 0', 'ALTER COLUMN money_drift TYPE numeric'),
    ('lab_totals', 'column money_drift', 'numeric(19,2) NOT NULL DEFAULT 0', 'ALTER COLUMN money_drift TYPE numeric'),
    ('lab_totals', 'column since', NULL, 'ADD COLUMN since timestamptz')
), part AS (
    SELECT o.name, side.is_wanted, p.*
    FROM object o
    CROSS JOIN LATERAL (VALUES (false, o.id), (true, to_regclass(format('pg_temp.%I', o.name))::oid)) AS side (is_wanted, id)
    CROSS JOIN LATERAL (
        SELECT 'column ' || a.attname AS what,
               concat_ws(' ', format_type(a.atttypid, a.atttypmod),
                         CASE WHEN a.attcollation <> t.typcollation THEN 'COLLATE ' || quote_ident(l.collname) END,
                         CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                         CASE a.attidentity WHEN 'a' THEN 'GENERATED ALWAYS AS IDENTITY'
                                            WHEN 'd' THEN 'GENERATED BY DEFAULT AS IDENTITY' END,
                         CASE WHEN a.attgenerated <> '' THEN 'GENERATED' WHEN a.atthasdef THEN 'DEFAULT' END,
                         pg_get_expr(d.adbin, d.adrelid)) AS shape,
               NOT a.attnotnull OR a.atthasdef OR a.attidentity <> '' AS is_spare
        FROM pg_attribute a
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = side.id AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT CASE contype WHEN 'p' THEN 'primary key' WHEN 'c' THEN 'check of ' || columns ELSE conname END,
               string_agg(pg_get_constraintdef(oid), ', ' ORDER BY pg_get_constraintdef(oid)), contype <> 'p'
        FROM (SELECT *, (SELECT string_agg(attname, ', ' ORDER BY attnum)
                         FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey)) AS columns
              FROM pg_constraint WHERE conrelid = side.id AND contype IN ('c', 'f', 'p', 'u', 'x')) AS c
        GROUP BY 1, contype
        UNION ALL
        SELECT 'storage', CASE relpersistence WHEN 'u' THEN 'unlogged' WHEN 't' THEN 'temporary' ELSE 'permanent' END, false
        FROM pg_class WHERE oid = side.id AND NOT side.is_wanted AND relpersistence <> 'p'
        UNION ALL
        SELECT 'row security', 'enabled', false FROM pg_class WHERE oid = side.id AND relrowsecurity
        UNION ALL
        SELECT 'rule ' || rulename, 'ON ' || (ARRAY['SELECT', 'UPDATE', 'INSERT', 'DELETE'])[ev_type::text::integer], false
        FROM pg_rewrite WHERE ev_class = side.id
        UNION ALL
        SELECT 'inheritance with ' || coalesce(nullif(inhrelid, side.id), inhparent)::regclass, 'INHERITS', false
        FROM pg_inherits WHERE side.id IN (inhrelid, inhparent)
        UNION ALL
        SELECT 'trigger ' || tgname, 'BEFORE ... FOR EACH ROW', false
        FROM pg_trigger WHERE tgrelid = side.id AND NOT tgisinternal AND tgtype & 3 = 3) AS p
    WHERE o.kind = 'TABLE' AND o.id IS NOT NULL
), difference AS (
    SELECT coalesce(f.name, w.name) AS name, coalesce(f.what, w.what) AS what, f.shape, w.shape AS wanted, older.step,
           coalesce(f.is_spare, false) AS is_spare
    FROM (SELECT * FROM part WHERE NOT is_wanted) AS f
    FULL JOIN (SELECT * FROM part WHERE is_wanted) AS w ON w.name = f.name AND w.what = f.what
    LEFT JOIN older ON older.name = coalesce(f.name, w.name) AND older.what = coalesce(f.what, w.what)
                       AND older.shape IS NOT DISTINCT FROM f.shape
    WHERE f.shape IS DISTINCT FROM w.shape
), reason AS (
    SELECT o.kind, o.name, o.identity, o.is_marked,
           CASE
               WHEN o.comment <> '' AND NOT o.is_marked THEN format('its comment is %L', left(o.comment, 60))
               WHEN c.relkind <> CASE o.kind WHEN 'TABLE' THEN 'r' WHEN 'VIEW' THEN 'v' END THEN
                   format('it is %s', CASE c.relkind WHEN 'r' THEN 'a table' WHEN 'v' THEN 'a view' WHEN 'p' THEN
                                      'a partitioned table' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN
                                      'a foreign table' WHEN 'S' THEN 'a sequence' WHEN 'i' THEN 'an index'
                                      ELSE 'another kind of relation' END)
               WHEN o.kind = 'VIEW' AND NOT o.is_marked AND NOT coalesce(
                   (SELECT bool_and(d.refobjid IN (SELECT id FROM object))
                    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                    WHERE r.ev_class = o.id AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> o.id), false) THEN
                   'it does not read the lab''s tables alone'
               WHEN o.kind = 'FUNCTION' AND NOT o.is_marked AND NOT EXISTS (
                   SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                   WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = o.id
                     AND r.ev_class IN (SELECT id FROM object)) THEN 'no view of the lab calls it'
           END AS words
    FROM object o
    LEFT JOIN pg_class c ON c.oid = o.id AND o.catalogue = 'pg_class'
    WHERE o.id IS NOT NULL
    UNION ALL
    SELECT o.kind, o.name, o.identity, o.is_marked,
           CASE WHEN d.shape IS NULL THEN format('it has no %s (%s)', d.what, d.wanted)
                WHEN d.wanted IS NULL THEN format('it has a %s (%s)', d.what, d.shape)
                ELSE format('its %s is %s instead of %s', d.what, d.shape, d.wanted) END
    FROM difference d JOIN object o USING (name)
    WHERE NOT (d.wanted IS NULL AND d.is_spare AND o.is_marked) AND d.step IS NULL
)
SELECT step, words
FROM (SELECT 1 AS place, name, NULL AS step,
             format('%s %s of database %I %s: %s', lower(kind), identity, current_database(),
                    CASE WHEN is_marked THEN 'is not as the lab needs it' ELSE 'is not the lab''s' END, words) AS words
      FROM reason WHERE words IS NOT NULL
      UNION ALL
      SELECT 2, NULL, format('CREATE SCHEMA %I', $2), NULL WHERE to_regnamespace(quote_ident($2)) IS NULL
      UNION ALL
      SELECT 3, NULL, format('DROP VIEW %s', string_agg(identity, ', ')), NULL
      FROM object WHERE kind = 'VIEW' AND id IS NOT NULL AND EXISTS (SELECT FROM difference WHERE step IS NOT NULL)
      HAVING count(*) > 0
      UNION ALL
      SELECT 4, name, format('ALTER TABLE %s %s', o.identity, string_agg(d.step, ', ' ORDER BY d.what DESC)), NULL
      FROM difference d JOIN object o USING (name) WHERE d.step IS NOT NULL GROUP BY name, o.identity) AS found
ORDER BY place, name;

-- A view or function whose columns differ cannot be replaced, so it is dropped first.
-- name: schema_views_begin SAVEPOINT none
SAVEPOINT lab_views;

-- name: schema_views_undo ROLLBACK none
ROLLBACK TO SAVEPOINT lab_views;

-- name: schema_view_drops SELECT pg_class
-- insert: lab_object
SELECT format('DROP %s %s', kind, string_agg(identity, ', ')) FROM object
WHERE kind <> 'TABLE' AND id IS NOT NULL GROUP BY kind ORDER BY kind DESC;

-- ---- The reads of the strategies ----

-- It takes no lock, so the balances may be old before they are used. The clock value is read just after the snapshot
-- was taken.
-- name: read_balances SELECT accounts
SELECT id, balance, version, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
FROM accounts WHERE id IN ($1, $2);

-- Everything that a COMMIT has acknowledged is before this position, if its session had synchronous_commit on.
-- name: flushed_lsn SELECT none
SELECT pg_current_wal_flush_lsn();

-- Runs at the standby. NULL if that server is a primary.
-- name: has_replayed SELECT none
SELECT pg_last_wal_replay_lsn() >= $1::pg_lsn;

-- The COMMIT of this transaction waits until the standbys that synchronous_standby_names lists have applied it. Without
-- a name there it waits for none.
-- name: apply_remotely SELECT settings
SELECT set_config('synchronous_commit', 'remote_apply', true), current_setting('synchronous_standby_names');

-- The rows are locked in the order of their ids, byte by byte as the program compares them. So two transfers in
-- opposite directions wait for each other in turn and do not deadlock.
-- The clock is read after the snapshot and before the wait.
-- name: lock_balances SELECT accounts
SELECT id, balance, version, (extract(epoch FROM began.at) * 1000000)::bigint
FROM accounts, (SELECT clock_timestamp() AS at OFFSET 0) AS began
WHERE id IN ($1, $2) ORDER BY id COLLATE "C" FOR UPDATE OF accounts;

-- Locks one row, for a transfer whose own UPDATE would lock its rows in the wrong order.
-- name: lock_first SELECT accounts
SELECT id FROM accounts WHERE id = $1 FOR NO KEY UPDATE;

-- Locks a number until the transaction ends. It is a separate statement, because a read in the same statement would see
-- the balance from before the wait. The shared lock on the other number keeps a reset out.
-- name: advisory_lock SELECT none
SELECT pg_advisory_xact_lock_shared(8000150022), pg_advisory_xact_lock(hashtextextended($1, 8000150021));

-- The number of the given sessions that wait for the locks of this session, directly or behind other sessions that
-- wait.
-- name: count_waiting SELECT pg_locks
WITH RECURSIVE behind (pid) AS (
    SELECT pg_backend_pid()
    UNION
    SELECT waiting.pid FROM pg_locks waiting JOIN behind ON behind.pid = ANY (pg_blocking_pids(waiting.pid))
    WHERE NOT waiting.granted
)
SELECT count(*) FROM behind WHERE pid = ANY ($1::integer[]);

-- ---- One write at a time, each committed on its own ----

-- Returns also the time of the write, in microseconds since 1970: the transaction that has the row locked reads the
-- clock, so the times are in the order of the writes. The last column is a time between the snapshot of the statement
-- and its wait for the row: it waits for no write that ended before.
-- part: what_it_left
RETURNING balance, version, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
          (extract(epoch FROM began.at) * 1000000)::bigint;

-- OFFSET 0 keeps the sub-select apart, so that the clock is read once, before the wait.
-- part: began
FROM (SELECT clock_timestamp() AS at OFFSET 0) AS began

-- name: deduct UPDATE accounts
UPDATE accounts SET balance = balance - $2::numeric, version = version + 1
-- insert: began
WHERE id = $1
-- insert: what_it_left

-- name: credit UPDATE accounts
UPDATE accounts SET balance = balance + $2::numeric, version = version + 1
-- insert: began
WHERE id = $1
-- insert: what_it_left

-- Writes the balance that the program computed, and overwrites any balance that the row holds by now: the lost update.
-- name: set_balance UPDATE accounts
UPDATE accounts SET balance = $2::numeric, version = version + 1
-- insert: began
WHERE id = $1
-- insert: what_it_left

-- part: transfer_columns
INSERT INTO transfers (id, "timestamp", from_account, to_account, amount, thread_id, duration_ms, strategy, trace_id,
                       from_balance_before, from_balance_after, to_balance_before, to_balance_after,
                       status, race_detected, anomaly, steps)

-- part: transfer_identity
SELECT $1, 'epoch'::timestamptz + $2::bigint * interval '1 microsecond', $3, $4, $5::numeric, $6, $7::numeric, $8, $9,

-- A trigger or a rule can suppress a row without an error. Then the statement divides by zero, which undoes all of it.
-- name: record_transfer INSERT transfers
WITH recorded AS (
-- insert: transfer_columns
-- insert: transfer_identity
           $11::numeric, $12::numeric, $13::numeric, $14::numeric, $15, $16::boolean, $17, $10::jsonb
    RETURNING seq
)
SELECT 1 / count(*), max(seq) FROM recorded;

-- ---- All writes of a transfer in one statement: deduct, credit, record ----
-- Each statement has its own way to deduct. `seen` is the balance that the decision to deduct was based on; `lost` says
-- whether the write of another transfer was overwritten. If no row is deducted, nothing is credited and nothing is
-- recorded. In the steps @ stands for the time of the deduct, and for the time since `began`, which is behind the
-- snapshot; views.sql takes the balances from the record. The program sent the statement at $11 by its own clock; the
-- database's clock is $12 microseconds ahead.

-- part: credit_and_record
credited AS (
    UPDATE accounts SET balance = accounts.balance + $5::numeric, version = version + 1
    FROM deducted WHERE id = $4 RETURNING accounts.balance
), recorded AS (
-- insert: transfer_columns
-- insert: transfer_identity
       d.seen, d.balance, c.balance - $5::numeric, c.balance, 'success', d.lost OR d.seen - $5::numeric <> d.balance,
       CASE WHEN d.lost THEN 'lost_update' WHEN d.seen - $5::numeric = d.balance THEN NULL
            WHEN d.balance < 0 THEN 'double_spend' ELSE 'stale_read' END,
       replace(replace($10, 'at_us":@', 'at_us":' || moment.us),
               'took_us":@', 'took_us":' || moment.us - least(moment.us, moment.began_us))::jsonb
-- An account that cannot be credited gives NULL, which the record refuses: then nothing is deducted either.
FROM deducted d LEFT JOIN credited c ON true,
     LATERAL (SELECT greatest($11::bigint, (extract(epoch FROM d.at) * 1000000)::bigint - $12::bigint) AS us,
                     greatest($11::bigint, (extract(epoch FROM d.began) * 1000000)::bigint - $12::bigint) AS began_us)
         AS moment
RETURNING from_balance_before, from_balance_after, to_balance_after, anomaly, steps -> -1 ->> 'at_us', seq
)
SELECT * FROM recorded
LIMIT 1000000 / (SELECT ((SELECT count(*) FROM deducted) = (SELECT count(*) FROM recorded))::integer);

-- Deducts from the balance that was read: the row is locked, so no other transaction can have changed it since.
-- name: book UPDATE accounts
WITH deducted AS (
    UPDATE accounts SET balance = balance - $5::numeric, version = version + 1
    WHERE id = $3
    RETURNING balance, $13::numeric AS seen, false AS lost, clock_timestamp() AS at, statement_timestamp() AS began
),
-- insert: credit_and_record

-- Deducts only if the version is still the one that was read; otherwise no row is found.
-- name: book_if_unchanged UPDATE accounts
WITH deducted AS (
    UPDATE accounts SET balance = balance - $5::numeric, version = version + 1
-- insert: began
    WHERE id = $3 AND version = $14::bigint
    RETURNING balance, $13::numeric AS seen, false AS lost, clock_timestamp() AS at, began.at AS began
),
-- insert: credit_and_record

-- PostgreSQL evaluates the condition on the newest row, after the wait for it.
-- name: book_if_covered UPDATE accounts
WITH deducted AS (
    UPDATE accounts SET balance = balance - $5::numeric, version = version + 1
-- insert: began
    WHERE id = $3 AND balance >= $5::numeric AND EXISTS (SELECT FROM accounts WHERE id = $4)
    RETURNING balance, balance + $5::numeric AS seen, false AS lost, clock_timestamp() AS at, began.at AS began
),
-- insert: credit_and_record

-- Wrong: the sub-select uses the snapshot from the beginning of the statement, and ignores changes during the wait.
-- name: book_if_subselect UPDATE accounts
WITH deducted AS (
    UPDATE accounts SET balance = balance - $5::numeric, version = version + 1
-- insert: began
    WHERE id = $3 AND (SELECT balance FROM accounts WHERE id = $3) >= $5::numeric
      AND EXISTS (SELECT FROM accounts WHERE id = $4)
    RETURNING balance, (SELECT balance FROM accounts WHERE id = $3) AS seen, false AS lost, clock_timestamp() AS at, began.at AS began
),
-- insert: credit_and_record

-- Wrong: the CTE uses the same old snapshot, and the new balance is computed from it.
-- MATERIALIZED: the clock is read with the snapshot, even where clock_timestamp() was replaced by a STABLE function.
-- name: book_from_snapshot UPDATE accounts
WITH snapshot AS MATERIALIZED (
    SELECT id, balance, version, clock_timestamp() AS began FROM accounts WHERE id = $3
), deducted AS (
    UPDATE accounts SET balance = snapshot.balance - $5::numeric, version = accounts.version + 1
    FROM snapshot
    WHERE accounts.id = snapshot.id AND snapshot.balance >= $5::numeric AND EXISTS (SELECT FROM accounts WHERE id = $4)
    RETURNING accounts.balance, snapshot.balance AS seen, accounts.version > snapshot.version + 1 AS lost,
              clock_timestamp() AS at, snapshot.began
),
-- insert: credit_and_record

-- Records the refusal of a transfer that has read nothing, if its account does not cover the amount when this statement
-- runs.
-- name: refuse INSERT transfers
WITH judged AS (
    SELECT f.balance AS from_balance, t.balance AS to_balance
    FROM accounts f, accounts t
    WHERE f.id = $3 AND t.id = $4 AND f.balance < $5::numeric
), recorded AS (
-- insert: transfer_columns
-- insert: transfer_identity
           from_balance, from_balance, to_balance, to_balance, 'failed_insufficient_funds', false, NULL,
           $10::jsonb || jsonb_build_array(
               jsonb_build_object('step', 'check', 'account', $3::text, 'value', from_balance,
                                  'at_us', greatest($11::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
                                                                 - $12::bigint),
                                  'took_us', 0))
    FROM judged
    RETURNING from_balance_before, to_balance_before, seq
)
SELECT * FROM recorded
LIMIT 1000000 / (SELECT ((SELECT count(*) FROM judged) = (SELECT count(*) FROM recorded))::integer);

-- ---- Many transfers in one transaction ----

-- Posts all transfers or none, in one statement. `least` is the balance that an account must hold so that each of its
-- transfers is covered at its turn; the offsets give the balance at that turn. If one account does not hold `least`, or
-- does not exist, the LIMIT divides by zero and undoes everything: then each transfer is judged on its own, by the
-- statements below. The steps are the same for all transfers except for the time of posting, for which @ stands;
-- views.sql takes the balances from the record. $17: the lock timeout for the rows.
-- name: book_many_if_covered UPDATE accounts
WITH moved AS (
    UPDATE accounts SET balance = accounts.balance + change.amount, version = version + change.writes
    FROM unnest($1::text[], $2::numeric[], $3::bigint[], $4::numeric[]) AS change (id, amount, writes, least),
         set_config('lock_timeout', $17, true)
    WHERE accounts.id = change.id AND accounts.balance >= change.least
    RETURNING accounts.id, accounts.balance - change.amount AS base
), recorded AS (
INSERT INTO transfers (id, "timestamp", from_account, to_account, amount,
                       from_balance_before, from_balance_after, to_balance_before, to_balance_after,
                       status, duration_ms, trace_id, steps, thread_id, strategy, race_detected)
SELECT t.id, 'epoch'::timestamptz + t.received_us * interval '1 microsecond', t.from_account, t.to_account, t.amount,
       f.base + t.from_offset, f.base + t.from_offset - t.amount, c.base + t.to_offset, c.base + t.to_offset + t.amount,
       'success', t.waited_us * 0.001, t.trace_id, replace($14, '@', (t.received_us + t.waited_us)::text)::jsonb, $15, $16,
       false
FROM unnest($5::text[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::numeric[], $11::numeric[],
            $12::numeric[], $13::text[])
     WITH ORDINALITY AS t (id, received_us, waited_us, from_account, to_account, amount, from_offset, to_offset, trace_id, place)
JOIN moved f ON f.id = t.from_account
JOIN moved c ON c.id = t.to_account
ORDER BY t.place
LIMIT 1000000 / (SELECT (count(*) = cardinality($1::text[]))::integer FROM moved)
RETURNING from_balance_before, to_balance_before
)
SELECT * FROM recorded
LIMIT 1000000 / (SELECT (count(*) = cardinality($5::text[]))::integer FROM recorded);

-- $2: the lock timeout for the rows.
-- name: lock_many SELECT accounts
SELECT id, balance FROM accounts, set_config('lock_timeout', $2, true)
WHERE id = ANY ($1::text[]) ORDER BY id COLLATE "C" FOR UPDATE OF accounts;

-- name: book_many UPDATE accounts
WITH moved AS (
    UPDATE accounts SET balance = accounts.balance + change.amount, version = version + change.writes
    FROM unnest($1::text[], $2::numeric[], $3::bigint[]) AS change (id, amount, writes)
    WHERE accounts.id = change.id
    RETURNING 1
), recorded AS (
INSERT INTO transfers (id, "timestamp", from_account, to_account, amount,
                       from_balance_before, from_balance_after, to_balance_before, to_balance_after,
                       status, duration_ms, trace_id, steps, thread_id, strategy, race_detected)
SELECT t.id, 'epoch'::timestamptz + t.received_us * interval '1 microsecond', t.from_account, t.to_account, t.amount,
       t.from_balance_before, t.from_balance_after, t.to_balance_before, t.to_balance_after,
       t.status, t.waited_us * 0.001, t.trace_id,
       replace(CASE t.status WHEN 'success' THEN $16 ELSE $17 END, '@', (t.received_us + t.waited_us)::text)::jsonb,
       $18, $19, false
FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::numeric[],
            $10::numeric[], $11::numeric[], $12::numeric[], $13::numeric[], $14::text[], $15::text[])
     WITH ORDINALITY AS t (id, received_us, waited_us, from_account, to_account, amount,
                           from_balance_before, from_balance_after, to_balance_before, to_balance_after,
                           status, trace_id, place)
ORDER BY t.place
RETURNING 1
)
SELECT 1 / ((SELECT count(*) FROM moved) = cardinality($1::text[])
            AND (SELECT count(*) FROM recorded) = cardinality($4::text[]))::integer;

-- ---- Everything else ----

-- name: read_accounts SELECT accounts
SELECT id, balance FROM accounts ORDER BY id;

-- name: read_accounts_of SELECT accounts
SELECT id, balance FROM accounts WHERE id = ANY ($1::text[]);

-- For the account_balance gauge, whose label is limited to $1 accounts.
-- name: read_gauges SELECT accounts
SELECT id, balance FROM accounts ORDER BY id LIMIT $1::integer;

-- For the money_drift gauge: transfers move money and never make any, so the drift must be zero.
-- name: read_money_drift SELECT accounts
SELECT drift FROM money_supply;

-- The totals, and the first $1 violations. There is at least one row.
-- name: read_audit SELECT audit_violations
WITH found AS MATERIALIZED (
    SELECT * FROM audit_violations
)
SELECT s.expected, s.actual, s.drift, (SELECT count(*) FROM accounts), (SELECT count(*) FROM transfers),
       (SELECT count(*) FROM found), v.kind, v.account, v.amount, v.detail, array_to_json(v.transfers)
FROM money_supply s
LEFT JOIN (SELECT * FROM found ORDER BY rank, account, seq LIMIT $1::integer) AS v ON true
ORDER BY v.rank, v.account, v.seq;

-- part: record_columns
SELECT id, to_char("timestamp" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       from_account, to_account, amount, from_balance_before, from_balance_after,
       to_balance_before, to_balance_after, status, thread_id, duration_ms, strategy, race_detected, anomaly, trace_id,
       replica

-- name: read_transfers SELECT transfers
-- insert: record_columns
FROM (SELECT * FROM transfers ORDER BY seq DESC LIMIT $1::integer) AS newest
ORDER BY seq;

-- Walks the primary key from the newest record to the one with the id $1. The id has no index, because every transfer
-- would have to write to it. Ids are random, so two servers may give the same one: the newest record is read. OFFSET 0
-- keeps the condition out of the walk, so that PostgreSQL does not sort the table instead.
-- name: read_transfer SELECT transfers
-- insert: record_columns
FROM (SELECT * FROM transfers ORDER BY seq DESC OFFSET 0) AS newest
WHERE id = $1
LIMIT 1;

-- ---- Replicas: sql/replicas.sql has the statements of the session that they share by ----

-- A replica is present while its session holds the lock of its name.
-- name: read_replicas SELECT lab_replicas
SELECT name, url, to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
       to_char(seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), settings_version,
       EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = 211500 AND objsubid = 2 AND granted
                                      AND pid = backend
                                      AND objid::bigint = (hashtext(current_schema() || ' ' || name)::bigint & 4294967295)),
       coalesce((SELECT version FROM lab_settings), 0)
FROM lab_replicas ORDER BY name;

-- ---- Idempotency keys ----
-- $2 to $5 are the request: from, to, amount, and the strategy that the request names or ''.

-- Returns the record of the key's transfer, or no row for a new key. The UPDATE makes the answer to a repeat a write:
-- it waits for the synchronous standby as the transfer's own COMMIT did, and a standby refuses it. It commits by
-- itself, so a later transaction under SERIALIZABLE has read nothing of this table.
-- name: find_key UPDATE transfer_keys
WITH known AS (
    UPDATE transfer_keys SET repeats = repeats + 1 WHERE key = $1
    RETURNING seq, request = ARRAY[$2::text, $3::text, $4::text, $5::text] AS is_same,
              expires_at < clock_timestamp() AS is_expired
)
-- insert: record_columns
       , is_same, is_expired, seq
FROM known LEFT JOIN transfers USING (seq);

-- Returns false while another transaction runs a transfer with this key. The lock ends with the transaction.
-- name: take_key SELECT none
SELECT pg_try_advisory_xact_lock(hashtextextended($1, 8000150023));

-- $6: seq of the record, $7: how many seconds the key is kept. A key that another transaction has written fails
-- (23505).
-- name: keep_key INSERT transfer_keys
INSERT INTO transfer_keys (key, request, seq, expires_at)
VALUES ($1, ARRAY[$2::text, $3::text, $4::text, $5::text], $6::bigint,
        clock_timestamp() + $7::bigint * interval '1 second');

-- Wrong: runs after the transfer has committed, and a key that is there already does not stop it.
-- name: keep_key_afterwards INSERT transfer_keys
INSERT INTO transfer_keys (key, request, seq, expires_at)
VALUES ($1, ARRAY[$2::text, $3::text, $4::text, $5::text], $6::bigint,
        clock_timestamp() + $7::bigint * interval '1 second')
ON CONFLICT DO NOTHING;

-- The key has expired, or its record is gone.
-- name: forget_key DELETE transfer_keys
DELETE FROM transfer_keys WHERE key = $1 AND seq = $2::bigint;

-- Removes expired keys, the oldest first. An expired key counts as new before it is removed.
-- name: forget_expired_keys DELETE transfer_keys
DELETE FROM transfer_keys WHERE key IN (
    SELECT key FROM (SELECT key, expires_at FROM transfer_keys ORDER BY seq LIMIT 5000) AS oldest
    WHERE expires_at < clock_timestamp());

-- ---- The races, from the views ----

-- part: race_columns
SELECT g.id, array_to_json(g.transfer_ids), g.transfer_count, g.account,
       to_char(g.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), array_to_json(g.strategies),
       g.verdict, g.lowest_balance, g.succeeded, g.refused

-- The newest $1 races, with the totals in every row. There is at least one row.
-- name: read_races SELECT race_groups
-- insert: race_columns
       , t.transfers, t.raced_transfers, t.double_spends, t.lost_updates, t.money_drift,
       to_char(t.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
FROM running_totals t
LEFT JOIN (SELECT * FROM race_groups WHERE transfer_count > 1
           ORDER BY reset DESC, started_at DESC LIMIT $1::integer) AS g ON true
ORDER BY g.reset DESC, g.started_at DESC;

-- The records of the race of transfer $1, at most $2 of them: the ones nearest to $1.
-- name: read_race SELECT race_members
WITH member AS MATERIALIZED (
    SELECT * FROM race_members
), asked AS (
    SELECT reset, race, place FROM member WHERE id = $1 ORDER BY reset DESC, seq DESC LIMIT 1
), nearest AS (
    SELECT m.* FROM member m JOIN asked USING (reset, race)
    ORDER BY abs(m.place - asked.place), m.place LIMIT $2::integer
)
-- insert: record_columns
       , reset, race, seq
FROM nearest ORDER BY place;

-- name: read_race_summary SELECT race_groups
-- insert: race_columns
FROM race_groups g
WHERE g.reset = $1::bigint AND g.id = $2;

-- name: read_race_steps SELECT race_steps
SELECT transfer_id, step, account, value, at_us, took_us, parties, outcome, committed_at_us
FROM race_steps
WHERE reset = $1::bigint AND transfer_id = ANY ($2::text[])
ORDER BY place, position;

-- name: read_missed_writes SELECT missed_writes
SELECT reader, read_at_us, value_read, writer, written_at_us, value_written, account, committed_by_us, uncommitted_at_read,
       not_replayed
FROM missed_writes
WHERE reset = $1::bigint AND reader = ANY ($2::text[])
ORDER BY written_at_us;

-- name: read_lock_waits SELECT lock_waits
SELECT waiter, step, holder, from_us, to_us
FROM lock_waits
WHERE reset = $1::bigint AND waiter = ANY ($2::text[])
ORDER BY from_us;

-- ---- The reset ----

-- A reset waits for a locked table before it holds any row: transfers that do not need that table must not wait behind
-- the reset.
-- name: reset_lock_tables LOCK accounts
LOCK TABLE accounts, transfers, past_transfers, lab_totals, transfer_keys IN ROW EXCLUSIVE MODE;

-- One reset at a time, for all servers, and none during a transfer under an advisory lock, which locks no row before
-- its writes.
-- name: reset_lock_advisory SELECT none
SELECT pg_advisory_xact_lock(8000150022);

-- Locks all accounts in the order in which the transfers lock them.
-- name: reset_lock SELECT accounts
SELECT id FROM accounts ORDER BY id COLLATE "C" FOR UPDATE;

-- part: keep_and_add_up
kept AS (
    INSERT INTO past_transfers (reset, seq, id, "timestamp", from_account, to_account, amount, from_balance_before,
                                from_balance_after, to_balance_before, to_balance_after, status, thread_id,
                                duration_ms, strategy, race_detected, anomaly, trace_id, steps, replica)
    SELECT (SELECT resets FROM lab_totals), seq, id, "timestamp", from_account, to_account, amount,
           from_balance_before, from_balance_after, to_balance_before, to_balance_after, status, thread_id,
           duration_ms, strategy, race_detected, anomaly, trace_id, steps, replica
    FROM transfers ORDER BY seq DESC LIMIT 1000
)
UPDATE lab_totals SET resets = resets + 1, transfers = now.transfers, races = now.races,
                      double_spends = now.double_spends, lost_updates = now.lost_updates, money_drift = now.money_drift
FROM running_totals now;

-- Removes the rows one by one, so that the transfers table need not be locked. One statement has one snapshot: the
-- deleted rows are exactly the rows that are kept and added up. A transfer that is recorded meanwhile stays (a refusal
-- locks no row of an account). Its key stays as well, because both are written in one transaction.
-- name: reset_log DELETE transfers
WITH gone AS (
    DELETE FROM transfers
), forgotten AS (
    DELETE FROM transfer_keys
),
-- insert: keep_and_add_up

-- Deleted rows stay in the file, every scan passes over them, and many rows take long to delete.
-- name: log_has_grown SELECT transfers
SELECT pg_relation_size('transfers') > 512 * 1024;

-- Does not wait. A transfer that posts in one statement has locked this table before it waits for a row, so the reset
-- and the transfer could wait for each other.
-- name: reset_lock_log LOCK transfers
LOCK TABLE transfers, transfer_keys IN ACCESS EXCLUSIVE MODE NOWAIT;

-- name: reset_keep INSERT past_transfers
WITH
-- insert: keep_and_add_up

-- name: reset_truncate TRUNCATE transfers
TRUNCATE transfers, transfer_keys;

-- No view reads beyond the newest 1,000 records. The DELETE reads the whole table, so it runs only at every 16th reset.
-- name: reset_forget DELETE past_transfers
DELETE FROM past_transfers p USING (
    SELECT reset, seq FROM past_transfers ORDER BY reset DESC, seq DESC OFFSET 1000
) AS old
WHERE p.reset = old.reset AND p.seq = old.seq AND (SELECT resets % 16 = 0 FROM lab_totals);

-- The version still increases: a transfer that has read a row before the reset must find the row changed, even if its
-- balance is the same again.
-- name: reset_accounts UPDATE accounts
UPDATE accounts SET balance = initial_balance, version = version + 1;

-- The totals begin again. The reset has added up the removed transfers before, and the balances are the initial ones.
-- name: reset_totals UPDATE lab_totals
UPDATE lab_totals SET transfers = 0, races = 0, double_spends = 0, lost_updates = 0, money_drift = 0,
                      since = clock_timestamp();
