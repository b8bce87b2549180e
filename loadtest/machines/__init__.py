"""The parts of loadtest/failover.py: a PostgreSQL with standbys under Patroni, several banks, and what breaks them."""
