-- What a bank begins with. Applied by the program at every start, by several at once if they start together.
INSERT INTO lab_totals DEFAULT VALUES ON CONFLICT DO NOTHING;

-- The initial state, for a bank that has no account yet.
INSERT INTO accounts (id, balance, initial_balance)
SELECT id, balance, balance
FROM (VALUES ('alice', 1000.00), ('bob', 500.00), ('charlie', 200.00)) AS initial (id, balance)
WHERE NOT EXISTS (SELECT FROM accounts)
ON CONFLICT DO NOTHING;
