-- Look, then insert: the unique key refuses the second one with an error that no serial order shows.

-- setup
CREATE TABLE users (name text PRIMARY KEY);

-- session A
SELECT count(*) = 0 AS missing FROM users WHERE name = 'alice' \gset
\if :missing
INSERT INTO users VALUES ('alice');
\endif

-- session B like A
