-- ON CONFLICT leaves the look to the unique key.

-- setup
CREATE TABLE users (name text PRIMARY KEY);

-- session A
INSERT INTO users VALUES ('alice') ON CONFLICT DO NOTHING;

-- session B like A
