-- The coupon counts its claims itself, and the UPDATE that raises the counter is the check.
-- Right: the second UPDATE waits for the row, and then finds the counter at its limit.
-- expect rc: clean
-- expect rr: clean
-- expect ser: clean

-- setup
CREATE TABLE coupons (code text PRIMARY KEY, claims_max integer NOT NULL, claimed integer NOT NULL DEFAULT 0);
CREATE TABLE claims (code text REFERENCES coupons, customer text);
INSERT INTO coupons VALUES ('HALF', 1);

-- session A customer=alice
BEGIN;
UPDATE coupons SET claimed = claimed + 1 WHERE code = 'HALF' AND claimed < claims_max RETURNING true AS is_left \gset
\if :{?is_left}
INSERT INTO claims VALUES ('HALF', :'customer');
\endif
COMMIT;

-- session B like A customer=bob

-- invariant within_the_limit
SELECT count(*) <= 1 FROM claims;
