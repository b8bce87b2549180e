-- The settings that the strategies and the statements need in a session. They replace the settings of the role, the
-- database, PGOPTIONS and the connection string. The program sends this script as one simple query when it opens a
-- session. SET needs no snapshot: under "serializable, read only, deferrable" a SELECT would wait for one. Every
-- setting here exists since PostgreSQL 14, and any role may set it. session_setup in statements.sql sets the others.

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET idle_session_timeout = 0;

-- Statements outside a transaction block run under these defaults. BEGIN sets only the isolation level.
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;

-- An error does not end the session, and the server sends warnings (01000 behind a COMMIT that no standby has
-- confirmed).
SET exit_on_error = off;
SET client_min_messages = notice;

-- The text format of values.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET array_nulls = on;
SET transform_null_equals = off;
SET "DateStyle" = 'ISO, MDY';
SET "IntervalStyle" = 'postgres';
SET "TimeZone" = 'UTC';
SET bytea_output = 'hex';
SET extra_float_digits = 1;

-- Every statement finds its rows by their keys for all parameters. So it is planned once, and uses the index even while
-- the table is so small that a sequential scan looks cheaper. Under SERIALIZABLE more transactions abort after a
-- sequential scan, because such a scan has read every row.
SET plan_cache_mode = 'force_generic_plan';
SET enable_seqscan = off;
SET enable_indexscan = on;
SET enable_indexonlyscan = on;
SET enable_bitmapscan = on;
SET jit = off;
