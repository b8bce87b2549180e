-- The statements that examine a connection pooler, each as one simple query. Embedded by embed.awk: POOLER_<NAME>,
-- sql_pooler[].

-- Begins a transaction and returns its backend. Another client of the pooler may have left a timeout there.
-- name: begin
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT pg_catalog.pg_backend_pid();

-- The same with the settings that not every version of PostgreSQL has, or whose value depends on the server: what
-- session_setup in statements.sql sets in a session.
-- name: begin_and_read_settings
BEGIN ISOLATION LEVEL READ COMMITTED;
SET LOCAL statement_timeout = 0;
SET LOCAL idle_in_transaction_session_timeout = 0;
SELECT name, CASE WHEN present.setting = needed.instead_of OR needed.instead_of IS NULL THEN needed.value
                  ELSE present.setting END
FROM (VALUES ('transaction_timeout', '0', NULL),
             ('restrict_nonsystem_relation_kind', '', NULL),
             ('synchronous_commit', 'on', 'off')) AS needed (name, value, instead_of)
JOIN pg_catalog.pg_settings present USING (name);

-- Prepared under a name that occurs once, which the program also appends as a comment: PgBouncer knows a statement by
-- its text.
-- name: backend
SELECT pg_catalog.pg_backend_pid();
