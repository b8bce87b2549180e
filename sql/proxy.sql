-- The statements that race-proxy runs on a session of its own. Embedded by embed.awk: PROXY_<NAME>, sql_proxy[].

-- Which of the backends $1 does somebody wait for, and who? The waiter may wait for a lock that another waiter will get
-- first; then its row names that one, whose own row names the holder.
-- name: waits
SELECT b.pid, w.pid
  FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS w, unnest(pg_blocking_pids(w.pid)) AS b (pid)
 WHERE b.pid = ANY ($1::integer[]);

-- The columns of every table of the database, for the readers of rows. A row of a table whose key is unknown has no
-- identity: a table with children by inheritance may have a key twice.
-- name: columns
SELECT c.oid, n.nspname, c.relname, a.attnum, a.attname,
       CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END,
       coalesce(a.attnum = ANY (i.indkey), false) AND NOT (c.relkind = 'r' AND c.relhassubclass)
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type AS t ON t.oid = a.atttypid
  LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'race_lab_exact')
 ORDER BY c.oid, a.attnum
 LIMIT 200000;

-- The tables below each view. A view that shows rows of one table, and nothing else, also has its columns: the number
-- of each, and the table and the column that it shows. They stand in the stored query tree, which names the origin of
-- each column. True: all columns of the view are such, and named as those of the table.
-- name: views
SELECT c.oid, n.nspname, c.relname, string_agg(DISTINCT d.refobjid::text, ' '), coalesce(shown.columns, ''),
       coalesce(shown.has_names, false)
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_rewrite AS r ON r.ev_class = c.oid
  JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
  LEFT JOIN LATERAL (
       SELECT string_agg(array_to_string(target, ' '), ' ') AS columns, 
              bool_and(own.attname = origin.attname) AND count(*) = c.relnatts AS has_names
         FROM regexp_matches(r.ev_action::text, ':resno (\d+) :resname (?:[^\s\\]|\\.)+ :ressortgroupref \d+ '
                             ':resorigtbl (\d+) :resorigcol (\d+) :resjunk false', 'g') AS target
         JOIN pg_attribute AS own ON own.attrelid = c.oid AND own.attnum = target[1]::integer
         JOIN pg_attribute AS origin ON origin.attrelid = target[2]::oid AND origin.attnum = target[3]::integer
        WHERE c.relkind = 'v' AND r.ev_action::text !~ '\{QUERY .*\{QUERY |:hasAggs true|:groupClause \(|:distinctClause \('
          AND (SELECT count(*) FROM regexp_matches(r.ev_action::text, ':rtekind (?!0 :relid ' || c.oid || ' )', 'g')) = 1
       ) AS shown ON true
 WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 GROUP BY c.oid, n.nspname, c.relname, shown.columns, shown.has_names
 LIMIT 20000;

-- --- --exact: AFTER ROW triggers record each row write ---
-- The proxy's session has the advisory lock as long as it reads the records. If it has died, the triggers find the lock
-- free and record nothing. The next start removes them.

-- name: exact_lock
SELECT pg_catalog.current_database(), pg_catalog.pg_try_advisory_lock(7165064744911);

-- name: exact_remove
DROP SCHEMA IF EXISTS race_lab_exact CASCADE;

-- name: exact_create
CREATE SCHEMA race_lab_exact;

-- name: exact_table
CREATE UNLOGGED TABLE race_lab_exact.row_write (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    moment timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    backend integer NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
    xid xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    relation oid NOT NULL,
    operation text NOT NULL,
    old_xmin xid, new_xmin xid,
    old_row jsonb, new_row jsonb,
    statement text DEFAULT pg_catalog.left(pg_catalog.current_query(), 400)
);

-- The application's role may have no rights in this schema, so the function runs with those of its owner. The argument
-- is the table that the trigger was created on; the row may be in one of its partitions.
-- name: exact_function
CREATE FUNCTION race_lab_exact.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_try_advisory_xact_lock_shared(7165064744911) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        INSERT INTO race_lab_exact.row_write (relation, operation, new_xmin, new_row)
        VALUES (TG_ARGV[0]::oid, 'I', NEW.xmin, to_jsonb(NEW));
    ELSIF TG_OP = 'UPDATE' THEN
        INSERT INTO race_lab_exact.row_write (relation, operation, old_xmin, new_xmin, old_row, new_row)
        VALUES (TG_ARGV[0]::oid, 'U', OLD.xmin, NEW.xmin, to_jsonb(OLD), to_jsonb(NEW));
    ELSE
        INSERT INTO race_lab_exact.row_write (relation, operation, old_xmin, old_row)
        VALUES (TG_ARGV[0]::oid, 'D', OLD.xmin, to_jsonb(OLD));
    END IF;
    RETURN NULL;
END $$;

-- ENABLE ALWAYS: session_replication_role does not switch it off. A lock that is not free soon is asked for again with
-- the next reading of the catalogue, so that the application does not wait for it.
-- name: exact_triggers
DO $$
DECLARE
    each record;
BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR each IN
        SELECT c.oid, c.oid::pg_catalog.regclass::text AS name
          FROM pg_catalog.pg_class AS c
          JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
           AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'race_lab_exact')
           AND pg_catalog.pg_has_role(c.relowner, 'USAGE')
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS t
                            WHERE t.tgrelid = c.oid AND t.tgname = 'race_lab_exact')
         ORDER BY c.oid
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER race_lab_exact AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW '
                                  'EXECUTE FUNCTION race_lab_exact.record(%s)', each.name, each.oid);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ALWAYS TRIGGER race_lab_exact', each.name);
    END LOOP;
END $$;

-- name: exact_tables
SELECT t.tgrelid
  FROM pg_catalog.pg_trigger AS t
  JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
 WHERE t.tgname = 'race_lab_exact' AND NOT c.relispartition;

-- The records, each with a row for every column: its number, its old and its new value as text.
-- name: exact_take
WITH taken AS (
    DELETE FROM race_lab_exact.row_write
     WHERE id IN (SELECT id FROM race_lab_exact.row_write ORDER BY id LIMIT 5000)
    RETURNING *
)
SELECT w.id, w.backend, w.xid::text, w.relation, w.operation, w.old_xmin::text, w.new_xmin::text, w.statement,
       a.attnum, w.old_row ->> a.attname, w.new_row ->> a.attname
  FROM taken AS w
  LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = w.relation AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY w.id, a.attnum;

-- --- prove --explore ---

-- name: explore_begin
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;

-- A dump that is made later sees the rows of this moment.
-- name: explore_snapshot
SELECT pg_catalog.pg_export_snapshot(), pg_catalog.current_setting('default_transaction_isolation');

-- Each table, view and sequence of a table: its name as pg_dump takes it, whether the statements $1 need it, and its
-- bytes. It is needed if they have its name, or if one that is needed refers to it. A function may use any.
-- name: explore_tables
WITH RECURSIVE relation AS (
    SELECT c.oid, n.nspname, c.relname, c.relkind
      FROM pg_class AS c
      JOIN pg_namespace AS n ON n.oid = c.relnamespace
     WHERE (c.relkind IN ('r', 'p', 'v', 'm', 'f')
            OR c.relkind = 'S' AND EXISTS (SELECT FROM pg_depend
                                            WHERE classid = 'pg_class'::regclass AND objid = c.oid
                                              AND refobjsubid > 0 AND deptype IN ('a', 'i')))
       AND c.relpersistence <> 't'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'race_lab_exact')
       AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
), code AS (
    SELECT EXISTS (
        SELECT
          FROM pg_proc AS p
          JOIN pg_namespace AS n ON n.oid = p.pronamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'race_lab_exact')
           AND NOT EXISTS (SELECT FROM pg_depend
                            WHERE classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e')
    ) AS is_there
), edge (oid, needed) AS (
    SELECT conrelid, confrelid FROM pg_constraint WHERE contype = 'f'
    UNION
    SELECT inhrelid, inhparent FROM pg_inherits
    UNION
    SELECT inhparent, inhrelid FROM pg_inherits
    UNION
    SELECT refobjid, objid
      FROM pg_depend
     WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype = 'i'
    UNION
    SELECT a.adrelid, d.refobjid
      FROM pg_attrdef AS a
      JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
           AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> a.adrelid
    UNION
    SELECT r.ev_class, d.refobjid
      FROM pg_rewrite AS r
      JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
           AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
), wanted (oid) AS (
    SELECT r.oid
      FROM relation AS r, code AS c
     WHERE c.is_there OR strpos(lower($1), lower(r.relname)) > 0
    UNION
    SELECT e.needed FROM wanted AS w JOIN edge AS e ON e.oid = w.oid
)
SELECT '"' || replace(r.nspname, '"', '""') || '"."' || replace(r.relname, '"', '""') || '"', w.oid IS NOT NULL,
       CASE WHEN r.relkind IN ('r', 'm') THEN pg_relation_size(r.oid) ELSE 0 END
  FROM relation AS r
  LEFT JOIN wanted AS w ON w.oid = r.oid;
