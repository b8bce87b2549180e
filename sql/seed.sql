-- The initial rows of a bank. The program runs this script at every start; several programs that start together may run
-- it at the same time.

-- Another session's lock may block this script. Then it fails after two seconds, and the program runs it again a second
-- later.
SET LOCAL lock_timeout = '2s';

-- SELECT first: INSERT ... ON CONFLICT waits for a concurrent transaction that has changed the row.
INSERT INTO lab_totals (single) SELECT true WHERE NOT EXISTS (SELECT FROM lab_totals) ON CONFLICT DO NOTHING;

-- The initial accounts, for a bank that has no account yet.
INSERT INTO accounts (id, balance, initial_balance)
SELECT id, balance, balance
FROM (VALUES ('alice', 1000.00), ('bob', 500.00), ('charlie', 200.00)) AS initial (id, balance)
WHERE NOT EXISTS (SELECT FROM accounts)
ON CONFLICT DO NOTHING;
