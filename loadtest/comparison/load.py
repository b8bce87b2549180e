"""Load on one strategy: throughput, latency, retries, and sessions that wait for a lock meanwhile."""

import statistics
import threading

from harness import lab, wrk

SHAPES = ("spread", "hot")


class LockWatch:
    """Counts the sessions that wait for a lock, every 50 ms during a `with`."""

    def __init__(self, cluster, database):
        self._cluster, self._database = cluster, database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._seen = []

    def _watch(self):
        with self._cluster.session(self._database) as session, session.cursor() as cursor:
            while not self._over.wait(0.05):
                cursor.execute("SELECT count(*) FROM pg_stat_activity "
                               "WHERE wait_event_type = 'Lock' AND datname = current_database()")
                self._seen.append(cursor.fetchone()[0])

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def mean(self):
        return statistics.mean(self._seen) if self._seen else 0.0


def retries(bank, strategy):
    scrape = bank.scrape()
    return {code: int(scrape.total("transfer_retries_total", strategy=strategy, sqlstate=code))
            for code in ("none", "40001", "40P01")}


def once(cluster, bank, strategy, shape, seconds, connections=lab.CONNECTIONS):
    """One run, with an audit of the books after it."""
    lab.settle(cluster, bank.database)
    bank.set(strategy=strategy)
    before = retries(bank, strategy)
    with LockWatch(cluster, bank.database) as watch:
        seen = wrk.transfers(bank.port, shape, connections, seconds)
    lab.until_idle(bank)
    after = retries(bank, strategy)
    return {"rate": seen.rate, "p50_ms": seen.p50_ms, "p99_ms": seen.p99_ms, "refused": seen.refused,
            "broken": seen.broken, "retries": {code: after[code] - before[code] for code in after},
            "lock_waiters": watch.mean(), "consistent": lab.audit(cluster, bank.database)}


def median_of(runs):
    """The runs of one strategy and shape as one: medians, the smallest and the largest value, and sums; consistent only
    if each run was."""
    totals = {key: statistics.median(run[key] for run in runs) for key in ("rate", "p50_ms", "p99_ms", "lock_waiters")}
    totals |= {f"{key}_band": [min(run[key] for run in runs), max(run[key] for run in runs)] for key in
               ("rate", "p99_ms")}
    totals |= {key: sum(run[key] for run in runs) for key in ("refused", "broken")}
    totals["retries"] = {code: sum(run["retries"][code] for run in runs) for code in runs[0]["retries"]}
    totals["consistent"] = all(run["consistent"] for run in runs)
    totals["runs"] = len(runs)
    return totals
