-- A program changes one row twice, each time in a transaction of its own: another program reads the row in between.

-- setup
CREATE TABLE counters (id integer PRIMARY KEY, value integer NOT NULL);
CREATE TABLE seen (value integer);
INSERT INTO counters VALUES (1, 1);

-- session A
UPDATE counters SET value = value + 1 WHERE id = 1;
UPDATE counters SET value = value * 10 WHERE id = 1;

-- session B
SELECT value FROM counters WHERE id = 1 \gset
INSERT INTO seen VALUES (:value);
