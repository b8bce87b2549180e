-- The same, but the row of the coupon is locked before the claims are counted.
-- Right at READ COMMITTED only: the count is a statement of its own, so its snapshot is newer than the wait for the
-- lock. At REPEATABLE READ the snapshot is older than the wait, and a row that was only locked, not changed, gives no
-- error: the count is old.
-- expect rc: clean
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE coupons (code text PRIMARY KEY, claims_max integer NOT NULL, claimed integer NOT NULL DEFAULT 0);
CREATE TABLE claims (code text REFERENCES coupons, customer text);
INSERT INTO coupons VALUES ('HALF', 1);

-- session A customer=alice
BEGIN;
SELECT FROM coupons WHERE code = 'HALF' FOR UPDATE;
SELECT count(*) < 1 AS is_left FROM claims WHERE code = 'HALF' \gset
\if :is_left
INSERT INTO claims VALUES ('HALF', :'customer');
\endif
COMMIT;

-- session B like A customer=bob

-- invariant within_the_limit
SELECT count(*) <= 1 FROM claims;
