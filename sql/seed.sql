-- The initial state, for a bank that has no account yet.
INSERT INTO accounts (id, balance, initial_balance)
SELECT id, balance, balance
FROM (VALUES ('alice', 1000.00), ('bob', 500.00), ('charlie', 200.00)) AS initial (id, balance)
WHERE NOT EXISTS (SELECT FROM accounts);
