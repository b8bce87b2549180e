-- The statements that race-explore runs on the databases that it explores. Embedded by embed.awk: EXPLORE_<NAME>,
-- sql_explore[].
-- Texts that name a user's table are made by format() on the server, which quotes the names.

-- Another plan takes other predicate locks, so the planner is kept to one.
-- name: session
SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false);

-- The connection that resets and looks. A setup may have changed its settings: pg_dump empties search_path.
-- name: control
SELECT set_config('search_path', (SELECT reset_val FROM pg_settings WHERE name = 'search_path'), false),
       set_config('client_min_messages', 'warning', false),
       set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false),
       set_config('default_transaction_isolation', 'read committed', false),
       set_config('lock_timeout', '2s', false); -- a session may have locked a whole table

-- Waits for locks, and for the end of the transactions that a DEFERRABLE one must outlast.
-- name: waits
SELECT w.session, pg_blocking_pids(w.pid) || pg_safe_snapshot_blocking_pids(w.pid)
  FROM unnest($1::integer[], $2::integer[]) AS w (session, pid);

-- name: tester_name
SELECT set_config('application_name', current_setting('application_name') || '/' || $1, false);

-- The sessions of isolationtester, $1 their backends in order: a row for each of them with the numbers, as bits, of
-- the sessions that it waits for. Bit 31 stands for any other process.
-- name: tester_waits
SELECT (SELECT coalesce(bit_or(1::bigint << coalesce(array_position($1::integer[], b.pid) - 1, 31)), 0)
          FROM unnest(pg_blocking_pids(w.pid) || pg_safe_snapshot_blocking_pids(w.pid)) AS b (pid))
  FROM unnest($1::integer[]) WITH ORDINALITY AS w (pid, number)
 ORDER BY w.number;

-- name: tester_is_blocked
SELECT pg_isolation_test_session_is_blocked($1::integer, $2::integer[]);

-- heap_page_items() shows the rows that a transaction has written and not committed.
-- name: inspect
CREATE EXTENSION IF NOT EXISTS pageinspect SCHEMA pg_catalog;

-- The rows that the transaction of backend $1 has read (its predicate locks; it must be SERIALIZABLE) and the rows of
-- all tables, with marks on those that it has written or locked. Infomask bits: src/include/access/htup_details.h.
-- name: footprint
WITH own AS (
    SELECT transactionid AS xid FROM pg_locks WHERE pid = $1 AND locktype = 'transactionid' AND granted
), tables AS (
    SELECT c.oid, least(pg_relation_size(c.oid) / 8192, 64) AS pages
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT LIKE 'pg\_%'
       AND n.nspname NOT IN ('information_schema', 'explore_copy')
)
SELECT 'read' AS kind, coalesce(i.indrelid, l.relation) AS "table",
       CASE WHEN i.indrelid IS NOT NULL THEN -1 ELSE coalesce(l.page, -2) END AS page, coalesce(l.tuple, 0) AS line,
       0 AS next_page, 0 AS next_line, 0::bigint AS xmin, false AS made, false AS ended, false AS heap_only,
       false AS only_locked
  FROM pg_locks l LEFT JOIN pg_index i ON i.indexrelid = l.relation
 WHERE l.pid = $1 AND l.mode = 'SIReadLock'
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND coalesce(i.indrelid, l.relation) IN (SELECT oid FROM tables)
UNION ALL
SELECT 'strong', 0, 0, 0, 0, 0, 0, false, false, false, false -- locks that rows do not show
  FROM pg_locks l
 WHERE l.pid = $1
   AND (l.locktype = 'advisory'
        OR (l.locktype = 'relation' AND l.relation >= 16384
            AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')))
UNION ALL
SELECT 'row', t.oid, p.page, h.lp, split_part(trim(h.t_ctid::text, '()'), ',', 1)::integer,
       split_part(trim(h.t_ctid::text, '()'), ',', 2)::integer, h.t_xmin::text::bigint,
       h.t_xmin IN (SELECT xid FROM own), h.t_xmax IN (SELECT xid FROM own), (h.t_infomask2 & 32768) <> 0,
       (h.t_infomask & 128) <> 0
  FROM tables t
 CROSS JOIN LATERAL generate_series(0, t.pages::integer - 1) AS p (page)
 CROSS JOIN LATERAL heap_page_items(get_raw_page(t.oid::regclass::text, p.page)) h
 WHERE h.lp_flags = 1;

-- The databases of a run: names, and the statements that make, drop and mark them. A name has the backend that makes
-- the database, and the time in milliseconds, so no other run on the server has the same names.
-- name: databases
SELECT name, format('CREATE DATABASE %I TEMPLATE template0 ENCODING ''UTF8''', name),
       format('DROP DATABASE IF EXISTS %I (FORCE)', name),
       format('COMMENT ON DATABASE %I IS %L', name, format(
           'race-explore made this at %s. It drops it when it ends, or at its next start on this server if it was killed.',
           date_trunc('second', clock_timestamp())))
  FROM (SELECT format('explore_%s_%s_%s', pg_backend_pid(), to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), n)
          AS name FROM generate_series(1, 8) AS n) AS named;

-- Databases that a killed run has left: the name and the comment say that race-explore has made it, no session is in
-- it, and the backend that made it has ended (one of the same number has started later; another role's start is not
-- visible). A run that is killed right after CREATE DATABASE leaves no comment.
-- name: left_databases
WITH made AS MATERIALIZED (
    SELECT oid, datname, split_part(datname, '_', 2) AS pid,
           ('x' || lpad(split_part(datname, '_', 3), 16, '0')) AS milliseconds
      FROM pg_database
     WHERE datname ~ '^explore_[1-9][0-9]{0,6}_[0-9a-f]{11}_[1-8]$' AND pg_has_role(datdba, 'USAGE')
       AND coalesce(shobj_description(oid, 'pg_database'), 'race-explore') LIKE 'race-explore%'
)
SELECT format('DROP DATABASE IF EXISTS %I', datname)
  FROM made
 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.datid = made.oid)
   AND NOT EXISTS (SELECT 1 FROM pg_stat_activity a
                    WHERE a.pid::text = made.pid
                      AND coalesce(a.backend_start <= to_timestamp(made.milliseconds::bit(64)::bigint / 1000.0), true));

-- The connections that the server has left for this role, and what limits them.
-- name: connections
SELECT least(s.free, r.free),
       CASE WHEN r.free < s.free THEN format('the connection limit of the role %s', current_user)
            ELSE format('max_connections (%s)', current_setting('max_connections')) END
  FROM (SELECT current_setting('max_connections')::bigint - count(*)
             - CASE WHEN (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN 0
                    ELSE current_setting('superuser_reserved_connections')::bigint
                         + coalesce(current_setting('reserved_connections', true), '0')::bigint END AS free
          FROM pg_stat_activity WHERE backend_type = 'client backend') AS s,
       (SELECT CASE WHEN rolconnlimit < 0 OR rolsuper THEN 1000000
                    ELSE rolconnlimit - (SELECT count(*) FROM pg_stat_activity WHERE usesysid = pg_roles.oid) END AS free
          FROM pg_roles WHERE rolname = current_user) AS r;

-- The tables of a database are dropped, so its name must say that this is what it is for.
-- name: may_use
SELECT current_database(), current_database() LIKE 'explore\_%';

-- Empties the database for the next case.
-- name: drop_schemas
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
                 WHERE nspname <> 'information_schema' AND nspname NOT LIKE 'pg\_%' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public;
    GRANT ALL ON SCHEMA public TO public;
END
$$;

-- The copies are made in a schema of their own. A partition's rows are read and copied through its root.
-- name: tables
SELECT c.oid,
       CASE WHEN n.nspname = 'public' THEN quote_ident(c.relname) ELSE format('%I.%I', n.nspname, c.relname) END,
       format('SELECT * FROM %s%I.%I', only_.word, n.nspname, c.relname),
       format('CREATE TABLE explore_copy.t%s AS SELECT * FROM %s%I.%I', c.oid, only_.word, n.nspname, c.relname),
       format('DELETE FROM %s%I.%I', only_.word, n.nspname, c.relname),
       format('INSERT INTO %I.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM explore_copy.t%s',
              n.nspname, c.relname, a.names, a.names, c.oid),
       format('TRUNCATE %I.%I', n.nspname, c.relname),
       -- Numbers of the columns whose values a sequence gives: concurrent orders leave other gaps.
       array_to_string(a.from_sequence, ','),
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = c.oid AND (i.indisunique OR i.indisexclusion)),
       format(', %I.%I, explore_copy.t%s', n.nspname, c.relname, c.oid)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind = 'r' THEN 'ONLY ' ELSE '' END AS word) only_
 CROSS JOIN LATERAL (
       SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE a.attgenerated = '') AS names,
              array_agg(a.attnum ORDER BY a.attnum) FILTER (
                  WHERE a.attidentity <> ''
                     OR pg_get_expr(d.adbin, d.adrelid) LIKE '%nextval(%'
                     OR EXISTS (SELECT 1 FROM pg_constraint f
                                  JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = ANY (f.confkey)
                                  LEFT JOIN pg_attrdef e ON e.adrelid = r.attrelid AND e.adnum = r.attnum
                                 WHERE f.contype = 'f' AND f.conrelid = c.oid AND a.attnum = ANY (f.conkey)
                                   AND (r.attidentity <> '' OR pg_get_expr(e.adbin, e.adrelid) LIKE '%nextval(%'))
              ) AS from_sequence
         FROM pg_attribute a
         LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       ) a
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'explore_copy') AND n.nspname NOT LIKE 'pg\_%'
   AND a.names IS NOT NULL
 ORDER BY n.nspname, c.relname;

-- The text of a query that gives the bytes that are free on the fullest page of the tables and their indexes; 0 if one
-- of them has not all its rows on one page, or is no B-tree. A B-tree has a page of its own in front.
-- name: room
SELECT 'SELECT least(' || string_agg(
           CASE WHEN c.relkind = 'i' AND a.amname <> 'btree' THEN '0'
                ELSE format('CASE pg_relation_size(%s) / 8192 WHEN %s THEN 8192 WHEN %s THEN '
                            '(SELECT upper - lower FROM page_header(get_raw_page(%L, %s))) ELSE 0 END',
                            c.oid, own.pages, CASE WHEN c.relkind = 't' THEN -1 ELSE own.pages + 1 END,
                            format('%I.%I', n.nspname, c.relname), own.pages) END, ', ') || ')'
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_am a ON a.oid = c.relam
 CROSS JOIN LATERAL (SELECT CASE WHEN c.relkind = 'i' THEN 1 ELSE 0 END AS pages) own
 WHERE (c.relkind IN ('r', 'i') AND n.nspname NOT IN ('information_schema', 'explore_copy') AND n.nspname NOT LIKE 'pg\_%')
    OR c.oid IN (SELECT t.reltoastrelid FROM pg_class t JOIN pg_namespace o ON o.oid = t.relnamespace
                  WHERE o.nspname NOT IN ('information_schema', 'explore_copy') AND o.nspname NOT LIKE 'pg\_%');

-- The tables, and for each table that has a copy the query that names its first rows by their key, or else by their
-- first two columns. A copy has its rows at the places that they have when footprints are taken.
-- name: row_names
SELECT c.oid,
       CASE WHEN n.nspname = 'public' THEN quote_ident(c.relname) ELSE format('%I.%I', n.nspname, c.relname) END,
       CASE WHEN to_regclass(format('explore_copy.t%s', c.oid)) IS NOT NULL
            THEN format('SELECT ctid, concat_ws('', '', %s) FROM explore_copy.t%s LIMIT 1000', a.names, c.oid) END
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_index k ON k.indrelid = c.oid AND k.indisprimary
 CROSS JOIN LATERAL (
       SELECT string_agg(format('%L || coalesce(left(%I::text, 60), ''NULL'')', b.attname || '=', b.attname), ', ') AS names
         FROM (SELECT attname FROM pg_attribute
                WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped
                  AND (k.indkey IS NULL OR attnum = ANY (k.indkey))
                ORDER BY attnum LIMIT CASE WHEN k.indkey IS NULL THEN 2 END) b
       ) a
 WHERE c.relkind = 'r' AND n.nspname NOT IN ('information_schema', 'explore_copy') AND n.nspname NOT LIKE 'pg\_%'
   AND a.names IS NOT NULL;

-- name: sequences
SELECT format('SELECT setval(%L::regclass, %s, %L::boolean)',
              format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL)
  FROM pg_sequences
 WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
 ORDER BY schemaname, sequencename;

-- True if a statement may run code that its text does not show: triggers, rules, cascades of foreign keys.
-- name: hidden_code
SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE NOT tgisinternal)
    OR EXISTS (SELECT 1 FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
                WHERE r.ev_type <> '1' AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))
    OR EXISTS (SELECT 1 FROM pg_constraint WHERE contype = 'f' AND (confdeltype NOT IN ('a', 'r') OR confupdtype NOT IN ('a', 'r')))
    -- A CHECK, a default, a domain, a generated column, an index or a view that calls a function of the user's.
    OR EXISTS (SELECT 1 FROM pg_depend
                WHERE refclassid = 'pg_proc'::regclass AND refobjid >= 16384
                  AND classid IN ('pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_class'::regclass,
                                  'pg_type'::regclass, 'pg_rewrite'::regclass));

-- Unique indexes on plain columns. Two of one name in two schemas are left out: EXPLAIN shows only the name.
-- name: unique_keys
SELECT min(quote_ident(c.relname)), min(i.indnkeyatts)
  FROM pg_index i
  JOIN pg_class c ON c.oid = i.indexrelid
 WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indimmediate
   AND c.relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
 GROUP BY c.relname
HAVING count(*) = 1;

-- The statement follows.
-- name: explain
EXPLAIN (COSTS OFF)

-- Whether a COMMIT may check something, whether that is code of the user's, and whether a procedure ends transactions.
-- name: deferred_code
SELECT EXISTS (SELECT 1 FROM pg_trigger WHERE tgdeferrable),
       EXISTS (SELECT 1 FROM pg_trigger WHERE NOT tgisinternal AND tgdeferrable),
       EXISTS (SELECT 1 FROM pg_proc WHERE oid >= 16384 AND prokind = 'p' AND prosrc ~* '\m(commit|rollback)\M');

-- A COMMIT does this first.
-- name: check
SET CONSTRAINTS ALL IMMEDIATE;

-- name: copy_schema
CREATE SCHEMA explore_copy;

-- name: begin
BEGIN;

-- name: commit
COMMIT;

-- name: rollback
ROLLBACK;

-- Triggers and foreign keys do not act while the rows are put back. After a change of this setting all statements are
-- planned again, so it is not made for each reset.
-- name: replica
SET session_replication_role = replica;

-- name: discard
DISCARD ALL;

-- The names of the case's tables follow. TRUNCATE leaves dead rows in pg_class.
-- name: vacuum
VACUUM pg_catalog.pg_class

-- name: read_committed
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED;

-- name: repeatable_read
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: serializable
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;

-- The victim of a deadlock is the session that looks for one. The others wait so long that they do not look.
-- name: deadlock_soon
SET deadlock_timeout = '5ms';

-- name: deadlock_later
SET deadlock_timeout = '60ms';

-- name: deadlock_later_still
SET deadlock_timeout = '500ms';

-- name: deadlock_latest
SET deadlock_timeout = '3s';

-- name: deadlock_survivor
SET deadlock_timeout = '1min';
