-- The statements that race-proxy runs on a session of its own. Embedded by embed.awk: PROXY_<NAME>, sql_proxy[].

-- Which of the backends $1 does somebody wait for, and who? The waiter may wait for a lock that another waiter will get
-- first; then its row names that one, whose own row names the holder.
-- name: waits
SELECT b.pid, w.pid
  FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) AS w, unnest(pg_blocking_pids(w.pid)) AS b (pid)
 WHERE b.pid = ANY ($1::integer[]);
