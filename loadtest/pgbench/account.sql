-- One account by its key, as GET /accounts/{id} reads it.
SELECT id, balance FROM accounts WHERE id = 'alice';
