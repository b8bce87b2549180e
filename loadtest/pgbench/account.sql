-- Reads one account by its key, as GET /accounts/{id} does.
SELECT id, balance FROM accounts WHERE id = 'alice';
