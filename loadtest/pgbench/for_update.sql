-- The safe transfer in its usual form, statement by statement.
BEGIN;
SELECT id, balance FROM accounts WHERE id IN ('acct-' || :f, 'acct-' || :t) ORDER BY id COLLATE "C" FOR UPDATE;
UPDATE accounts SET balance = balance - 0.01, version = version + 1 WHERE id = 'acct-' || :f RETURNING balance;
UPDATE accounts SET balance = balance + 0.01, version = version + 1 WHERE id = 'acct-' || :t RETURNING balance;
INSERT INTO transfers (id, "timestamp", from_account, to_account, amount,
                       from_balance_before, from_balance_after, to_balance_before, to_balance_after,
                       status, thread_id, duration_ms, strategy, race_detected, trace_id, steps)
VALUES ('9f3c1a2b', now(), 'acct-' || :f, 'acct-' || :t, 0.01, 1000, 999.99, 1000, 1000.01,
        'success', 'pgbench', 1.234, 'for_update', false, '0af7651916cd43dd8448eb211c80319c',
        '[{"step":"lock","account":"acct-1","value":1000.00,"at_us":1769862896789012,"took_us":400},{"step":"check","account":"acct-1","value":1000.00,"at_us":1769862896789012,"took_us":0},{"step":"deduct","account":"acct-1","value":999.99,"at_us":1769862896789012,"took_us":300},{"step":"credit","account":"acct-2","value":1000.01,"at_us":1769862896789012,"took_us":300}]');
COMMIT;
