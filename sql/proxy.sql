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
   AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
 ORDER BY c.oid, a.attnum
 LIMIT 200000;

-- The tables below each view.
-- name: views
SELECT c.oid, n.nspname, c.relname, string_agg(DISTINCT d.refobjid::text, ' ')
  FROM pg_class AS c
  JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_rewrite AS r ON r.ev_class = c.oid
  JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
       AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> c.oid
 WHERE c.relkind IN ('v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
 GROUP BY c.oid, n.nspname, c.relname
 LIMIT 20000;
