"""An unchanged application: a withdrawal that reads the balance, checks it, and writes it. It knows no proxy."""

import concurrent.futures
import threading

import psycopg2

START, AMOUNT = 100, 80


def make_accounts(cluster, database):
    cluster.rows(database, "CREATE TABLE accounts (id text PRIMARY KEY, balance integer NOT NULL)")


def put_back(cluster, database):
    cluster.rows(database, "TRUNCATE accounts")
    cluster.rows(database, "INSERT INTO accounts VALUES ('alice', %s)", START)


def withdraw(url, lock=""):
    """True: the money was paid out."""
    session = psycopg2.connect(url)
    try:
        with session, session.cursor() as cursor:
            cursor.execute(f"SELECT balance FROM accounts WHERE id = 'alice' {lock}")
            balance = cursor.fetchone()[0]
            if balance < AMOUNT:
                return False
            cursor.execute("UPDATE accounts SET balance = %s WHERE id = 'alice'", (balance - AMOUNT,))
            return True
    finally:
        session.close()


def at_once(*calls):
    """The results of calls that begin together."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        return call()

    with concurrent.futures.ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def paid_out(url, lock=""):
    """How many of two withdrawals at once were paid out; more than one is a double spend."""
    return sum(at_once(lambda: withdraw(url, lock), lambda: withdraw(url, lock)))
