-- The program looks for a reservation that overlaps, and reserves if there is none.
-- Wrong: both look before either reserves. The range is reserved twice.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE reservations (during int4range NOT NULL, customer text NOT NULL);
INSERT INTO reservations VALUES ('[8,10)', 'early');

-- session A customer=alice during=[10,14)
BEGIN;
SELECT count(*) = 0 AS is_free FROM reservations WHERE during && :'during' \gset
\if :is_free
INSERT INTO reservations VALUES (:'during', :'customer');
\endif
COMMIT;

-- session B like A customer=bob during=[12,15)

-- invariant no_overlap
SELECT NOT EXISTS (SELECT FROM reservations one, reservations other
                   WHERE one.customer < other.customer AND one.during && other.during);
