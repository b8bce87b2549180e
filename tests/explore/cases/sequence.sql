-- A sequence gives other numbers in other orders: its columns are not compared.

-- setup
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text);

-- session A customer=alice
INSERT INTO orders (customer) VALUES (:'customer') RETURNING id;

-- session B like A customer=bob
