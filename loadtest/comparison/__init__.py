"""The comparison of all strategies: forced rounds, load, and the report."""
