"""The parts that the benchmarks share: a PostgreSQL and a bank of their own, accounts, load by wrk, and the machine."""
