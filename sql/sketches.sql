-- The strategies as a programmer would write them at psql: GET /strategies serves these lines as `sketch`, and the page
-- shows them beside a race. The program's own statements also write the record, so they are longer (statements.sql).
-- Behind --@ stand the steps of a race's record that the line makes, and after the word "after" the steps in which
-- the lab stops the transfer before the line. A line without --@ continues below. A comment is what the program does
-- between two statements.

-- strategy: vulnerable
SELECT balance FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount --@ check after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
INSERT INTO transfers VALUES (...); --@ commit retry

-- strategy: absolute_update
SELECT balance FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount; compute both new balances --@ check after barrier delay
UPDATE accounts SET balance = :new_from WHERE id = :from; --@ deduct
UPDATE accounts SET balance = :new_to WHERE id = :to; --@ credit
INSERT INTO transfers VALUES (...); --@ commit retry

-- strategy: subselect_predicate
BEGIN; --@ after barrier delay
UPDATE accounts SET balance = balance - :amount
  WHERE id = :from AND (SELECT balance FROM accounts WHERE id = :from) >= :amount; --@ deduct
-- refuse if no row was changed --@ check retry
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; --@ commit after hold

-- strategy: cte_snapshot
BEGIN; --@ after barrier delay
WITH seen AS (SELECT balance FROM accounts WHERE id = :from)
  UPDATE accounts SET balance = seen.balance - :amount FROM seen
  WHERE id = :from AND seen.balance >= :amount; --@ deduct
-- refuse if no row was changed --@ check retry
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; --@ commit after hold

-- strategy: process_mutex
-- lock the mutex of this process --@ mutex after barrier
SELECT balance FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount --@ check after delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
INSERT INTO transfers VALUES (...); -- then unlock the mutex --@ commit retry

-- strategy: for_update
BEGIN; --@ after barrier
SELECT balance FROM accounts WHERE id IN (:from, :to) ORDER BY id FOR UPDATE; --@ lock
-- refuse if balance < :amount --@ check after delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; --@ commit retry

-- strategy: atomic_update
BEGIN; --@ after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from AND balance >= :amount; --@ deduct
-- refuse if no row was changed --@ check retry
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; --@ commit

-- strategy: optimistic
SELECT balance, version FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount --@ check after barrier delay
BEGIN; --@
UPDATE accounts SET balance = balance - :amount, version = version + 1
  WHERE id = :from AND version = :version; --@ deduct
UPDATE accounts SET balance = balance + :amount, version = version + 1 WHERE id = :to; --@ credit
COMMIT; -- if no row was changed: ROLLBACK, and read again --@ commit retry

-- strategy: repeatable_read
BEGIN ISOLATION LEVEL REPEATABLE READ; --@
SELECT balance FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount --@ check after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; -- after error 40001: ROLLBACK, and all of it again --@ commit retry

-- strategy: serializable
BEGIN ISOLATION LEVEL SERIALIZABLE; --@
SELECT balance FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount --@ check after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; -- after error 40001: ROLLBACK, and all of it again --@ commit retry

-- strategy: advisory_lock
BEGIN;
SELECT pg_advisory_xact_lock(hashtext(:from)), pg_advisory_xact_lock(hashtext(:to)); --@ read after barrier
SELECT balance FROM accounts WHERE id IN (:from, :to); --@ read
-- refuse if balance < :amount --@ check after delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; --@ commit retry

-- strategy: batched
BEGIN; -- one transaction for all transfers that wait in the queue --@ after barrier
SELECT balance FROM accounts WHERE id IN (:from, ...) ORDER BY id FOR UPDATE; --@ batch
-- refuse each for which the rest of the balance is too small --@ check after delay
UPDATE accounts SET balance = balance - :sum WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :sum WHERE id = :to; --@ credit
COMMIT; --@ commit retry

-- strategy: replica_read
SELECT balance FROM accounts WHERE id IN (:from, :to); -- at the standby --@ read
-- refuse if balance < :amount --@ check after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
INSERT INTO transfers VALUES (...); --@ commit retry

-- strategy: replica_guard
SELECT balance FROM accounts WHERE id IN (:from, :to); -- at the standby, only to show it --@ read
BEGIN; --@ after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from AND balance >= :amount; --@ deduct
-- refuse if no row was changed --@ check retry
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; --@ commit

-- strategy: replica_wait
SELECT pg_current_wal_flush_lsn(); -- at the primary
SELECT pg_last_wal_replay_lsn() >= :lsn; -- at the standby, until it is true --@ replay
SELECT balance FROM accounts WHERE id IN (:from, :to); -- at the standby --@ read
-- refuse if balance < :amount --@ check after barrier delay
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
INSERT INTO transfers VALUES (...); --@ commit retry

-- strategy: remote_apply
SELECT balance FROM accounts WHERE id IN (:from, :to); -- at the standby --@ read
-- refuse if balance < :amount --@ check after barrier delay
BEGIN; SET LOCAL synchronous_commit = remote_apply; --@
UPDATE accounts SET balance = balance - :amount WHERE id = :from; --@ deduct
UPDATE accounts SET balance = balance + :amount WHERE id = :to; --@ credit
COMMIT; -- answers when the standby has applied it --@ commit retry
