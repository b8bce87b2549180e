-- Three doctors are on call, and each one leaves if another one stays. Three sessions have 34,650 orders.

-- setup
CREATE TABLE doctors (name text PRIMARY KEY, on_call boolean NOT NULL);
INSERT INTO doctors VALUES ('ann', true), ('bea', true), ('cay', true);

-- session A me=ann
BEGIN;
SELECT count(*) > 1 AS may_leave FROM doctors WHERE on_call \gset
UPDATE doctors SET on_call = NOT :'may_leave' WHERE name = :'me';
COMMIT;

-- session B like A me=bea
-- session C like A me=cay

-- invariant somebody_stays
SELECT bool_or(on_call) FROM doctors;
