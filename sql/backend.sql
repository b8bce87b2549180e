-- Reads the identity of the server process behind a session, and the name of the engine. The program sends it as one
-- simple query before it changes any setting. The isolation level comes first, because a role's "serializable, read
-- only, deferrable" makes a SELECT wait.

SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
SELECT pg_backend_pid(), version();
