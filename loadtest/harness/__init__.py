"""What the benchmarks share: a PostgreSQL and a bank of their own, accounts, load by wrk, and who the machine is."""
