"""The strategies, as the tests expect them."""

SAFE = ["for_update", "atomic_update", "optimistic", "repeatable_read", "serializable", "advisory_lock", "batched"]
WRONG = ["vulnerable", "absolute_update", "cte_snapshot", "subselect_predicate", "process_mutex"]
RETRYING = ["optimistic", "repeatable_read", "serializable"]  # may lose too often, and answer with a 503 then

# They need a standby: test_standby.py.
STANDBY_SAFE = ["replica_guard"]
STANDBY_WRONG = ["replica_read", "replica_wait", "remote_apply"]
