-- Roundcube Webmail 1.6.5 (https://roundcube.net): a user deletes a sender identity. The program counts the identities
-- first, because one must be left: delete_identity() in program/lib/Roundcube/rcube_user.php. It uses no transaction.
-- The tables are those of SQL/postgres.initial.sql, with the columns that the two statements and the story need.
--
-- The race: in two windows the user deletes the last two identities. Each window counts two, and none is left.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: anomaly, invariant

-- setup
CREATE TABLE users (user_id integer PRIMARY KEY, username text NOT NULL);
CREATE TABLE identities (
    identity_id integer PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users,
    email text NOT NULL,
    del smallint NOT NULL DEFAULT 0,
    changed timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON identities (user_id, del);
INSERT INTO users VALUES (1, 'ada');
INSERT INTO identities VALUES (1, 1, 'ada@home.example'), (2, 1, 'ada@work.example');

-- session A identity=1
SELECT count(*) > 1 AS may_delete FROM identities WHERE user_id = 1 AND del <> 1 \gset
\if :may_delete
UPDATE identities SET del = 1, changed = now() WHERE user_id = 1 AND identity_id = :identity;
\endif

-- session B like A identity=2

-- invariant one_identity_is_left
SELECT EXISTS (SELECT FROM identities WHERE user_id = 1 AND del <> 1);
