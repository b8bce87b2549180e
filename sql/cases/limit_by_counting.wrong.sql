-- A coupon may be claimed once. The program counts the claims, and inserts one if there are fewer than the limit.
-- Wrong: both count before either inserts. FOR UPDATE cannot help here, because the row that matters does not exist
-- yet.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE coupons (code text PRIMARY KEY, claims_max integer NOT NULL, claimed integer NOT NULL DEFAULT 0);
CREATE TABLE claims (code text REFERENCES coupons, customer text);
INSERT INTO coupons VALUES ('HALF', 1);

-- session A customer=alice
BEGIN;
SELECT count(*) < 1 AS is_left FROM claims WHERE code = 'HALF' \gset
\if :is_left
INSERT INTO claims VALUES ('HALF', :'customer');
\endif
COMMIT;

-- session B like A customer=bob

-- invariant within_the_limit
SELECT count(*) <= 1 FROM claims;
