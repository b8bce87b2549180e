-- A clock gives other times in other orders: its column is not compared.

-- setup
CREATE TABLE visits (name text, at timestamptz);

-- session A name=alice
INSERT INTO visits SELECT :'name', clock_timestamp();

-- session B like A name=bob
