-- What a bank begins with. Applied by the program at every start, by several at once if they start together.

-- Somebody's lock may be in the way: then not now, and again in a second.
SET LOCAL lock_timeout = '2s';

-- Asked first: an INSERT of a row that somebody is changing would wait, if only to find it there.
INSERT INTO lab_totals (single) SELECT true WHERE NOT EXISTS (SELECT FROM lab_totals) ON CONFLICT DO NOTHING;

-- The initial state, for a bank that has no account yet.
INSERT INTO accounts (id, balance, initial_balance)
SELECT id, balance, balance
FROM (VALUES ('alice', 1000.00), ('bob', 500.00), ('charlie', 200.00)) AS initial (id, balance)
WHERE NOT EXISTS (SELECT FROM accounts)
ON CONFLICT DO NOTHING;
