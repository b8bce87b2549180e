-- An exclusion constraint refuses a reservation that overlaps another one.
-- Right: the second INSERT waits for the first one to end, and then inserts nothing.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE reservations (during int4range NOT NULL, customer text NOT NULL, EXCLUDE USING gist (during WITH &&));
INSERT INTO reservations VALUES ('[8,10)', 'early');

-- session A customer=alice during=[10,14)
INSERT INTO reservations VALUES (:'during', :'customer') ON CONFLICT DO NOTHING;

-- session B like A customer=bob during=[12,15)

-- invariant no_overlap
SELECT NOT EXISTS (SELECT FROM reservations one, reservations other
                   WHERE one.customer < other.customer AND one.during && other.during);
