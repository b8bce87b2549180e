-- The settings that the strategies and the statements need in a session, whatever the role, the database, PGOPTIONS or the
-- connection string has set. The program sends it as one simple query when it opens a session. SET needs no snapshot:
-- under "serializable, read only, deferrable" a SELECT would wait for one. Every setting here exists since
-- PostgreSQL 14 and may be set by any role; session_setup in statements.sql sets the others.

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET idle_session_timeout = 0;

-- Statements outside a transaction block run under the defaults; BEGIN names its isolation level alone.
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET default_transaction_deferrable = off;

-- How the server speaks: an error does not end the session, and a warning comes (01000 behind a COMMIT that no standby
-- has confirmed).
SET exit_on_error = off;
SET client_min_messages = notice;

-- How values travel as text.
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET array_nulls = on;
SET transform_null_equals = off;
SET "DateStyle" = 'ISO, MDY';
SET "IntervalStyle" = 'postgres';
SET "TimeZone" = 'UTC';
SET bytea_output = 'hex';
SET extra_float_digits = 1;

-- Every statement finds its rows by their keys, whatever the parameters: planned once, and by the index even while
-- the table is so small that reading all of it looks cheaper. SERIALIZABLE aborts more transactions after a
-- sequential scan, because such a scan has read every row.
SET plan_cache_mode = 'force_generic_plan';
SET enable_seqscan = off;
SET enable_indexscan = on;
SET enable_indexonlyscan = on;
SET enable_bitmapscan = on;
SET jit = off;
