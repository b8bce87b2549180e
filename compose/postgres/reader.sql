-- Grafana's role, made once with the database: it reads everything and writes nothing.
CREATE ROLE lab_reader LOGIN PASSWORD 'lab_reader' CONNECTION LIMIT 20 IN ROLE pg_read_all_data;
ALTER ROLE lab_reader SET default_transaction_read_only = on;
ALTER ROLE lab_reader SET statement_timeout = '5s';
-- The planner thinks the views dearer than they are, and compiling them takes longer than running them.
ALTER ROLE lab_reader SET jit = off;
