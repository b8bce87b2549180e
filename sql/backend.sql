-- The process behind a session, as PostgreSQL itself knows it. Sent as one simple query before anything is set. The
-- isolation level comes first, because a role's "serializable, read only, deferrable" makes a SELECT wait.

SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
SELECT pg_backend_pid();
