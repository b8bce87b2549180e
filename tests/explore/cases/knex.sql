-- Knex 0.95.12 takes the lock of its migrations so: the table has no unique key.

-- setup
CREATE TABLE migrations_lock (is_locked integer);

-- session A
SELECT true;
INSERT INTO migrations_lock SELECT 0 WHERE NOT EXISTS (SELECT FROM migrations_lock);

-- session B like A

-- invariant one_row
SELECT count(*) = 1 FROM migrations_lock;
