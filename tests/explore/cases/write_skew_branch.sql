-- Two doctors leave their shift: each sees that the other one is still on call.

-- setup
CREATE TABLE doctors (name text PRIMARY KEY, on_call boolean NOT NULL);
INSERT INTO doctors VALUES ('alice', true), ('bob', true);

-- session A name=alice
BEGIN;
SELECT count(*) >= 2 AS enough FROM doctors WHERE on_call \gset
\if :enough
UPDATE doctors SET on_call = false WHERE name = :'name';
\endif
COMMIT;

-- session B like A name=bob

-- invariant somebody_on_call
SELECT count(*) >= 1 FROM doctors WHERE on_call;
