-- A lock with a time to live (Redis, a table of leases). A program that sleeps longer than the time to live has lost
-- the lock without knowing it. Here each lease has run out by the time that the next program asks for it.
-- Wrong: the late program writes what it has computed from an old read. Each statement is a transaction of its own, so
-- no level helps.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: anomaly, invariant

-- setup
CREATE TABLE lease (holder text, token integer NOT NULL);
CREATE TABLE document (id integer PRIMARY KEY, words integer NOT NULL, edits integer NOT NULL, token integer NOT NULL);
INSERT INTO lease VALUES (NULL, 0);
INSERT INTO document VALUES (1, 10, 0, 0);

-- session A me=a
UPDATE lease SET holder = :'me', token = token + 1 RETURNING token \gset
SELECT words + 5 AS words FROM document WHERE id = 1 \gset
UPDATE document SET words = :words, edits = edits + 1 WHERE id = 1;

-- session B like A me=b

-- invariant no_edit_lost
SELECT words = 10 + 5 * edits FROM document;
