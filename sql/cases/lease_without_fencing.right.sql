-- The lease gives a number that only grows (a fencing token). The document remembers the highest number that has read
-- it, and takes a write only with this number.
-- Right: the late program changes nothing. No serial order shows a program that has lost its lease, so the outcomes
-- are judged by the invariant only.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- serializable: no

-- setup
CREATE TABLE lease (holder text, token integer NOT NULL);
CREATE TABLE document (id integer PRIMARY KEY, words integer NOT NULL, edits integer NOT NULL, token integer NOT NULL);
INSERT INTO lease VALUES (NULL, 0);
INSERT INTO document VALUES (1, 10, 0, 0);

-- session A me=a
UPDATE lease SET holder = :'me', token = token + 1 RETURNING token \gset
UPDATE document SET token = :token WHERE id = 1 AND token < :token RETURNING words + 5 AS words \gset
\if :{?words}
UPDATE document SET words = :words, edits = edits + 1 WHERE id = 1 AND token = :token;
\endif

-- session B like A me=b

-- invariant no_edit_lost
SELECT words = 10 + 5 * edits FROM document;
