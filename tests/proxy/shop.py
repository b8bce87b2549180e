#!/usr/bin/env python3
"""An unchanged application with several ways to take money and to sign up. DATABASE_URL names its database.

    shop.py serve PORT    over HTTP, a thread and a connection for each request: POST /WAY
    shop.py queue PORT    the same, one request after another
    shop.py WAY           once, in this process
    shop.py reset         makes its tables, with the first data
"""

import http.server
import os
import sys

import psycopg2

AMOUNT = 80


def take(cursor, lock="", guard=""):
    """Reads, checks here, and writes."""
    cursor.execute(f"SELECT balance FROM accounts WHERE id = 'alice' {lock}")
    balance = cursor.fetchone()[0]
    if balance < AMOUNT:
        return "refused"
    cursor.execute(f"UPDATE accounts SET balance = %s WHERE id = 'alice' {guard.format(balance)}", (balance - AMOUNT,))
    return "paid" if cursor.rowcount == 1 else "somebody was faster"


def locked_late(cursor):
    cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
    balance = cursor.fetchone()[0]
    cursor.execute("SELECT 1 FROM accounts WHERE id = 'alice' FOR UPDATE")
    cursor.execute("UPDATE accounts SET balance = %s WHERE id = 'alice'", (balance - AMOUNT,))
    return "paid"


def log_in(cursor):
    """It writes another column than it reads."""
    cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
    cursor.execute("UPDATE accounts SET seen = seen + 1 WHERE id = 'alice'")
    return "hello"


def sign_up(cursor, table):
    cursor.execute(f"SELECT 1 FROM {table} WHERE email = 'eve@example.org'")
    if cursor.fetchone() is not None:
        return "known"
    cursor.execute(f"INSERT INTO {table} (email) VALUES ('eve@example.org')")
    return "welcome"


def look(cursor):
    cursor.execute("SELECT balance FROM accounts WHERE id = 'alice'")
    return str(cursor.fetchone()[0])


def reset(cursor):
    cursor.execute("""
        CREATE TABLE IF NOT EXISTS accounts (id text PRIMARY KEY, balance integer NOT NULL, seen integer DEFAULT 0);
        CREATE TABLE IF NOT EXISTS users (id serial PRIMARY KEY, email text UNIQUE);
        CREATE TABLE IF NOT EXISTS guests (id serial PRIMARY KEY, email text);
        TRUNCATE accounts, users, guests;
        INSERT INTO accounts VALUES ('alice', 100)""")
    return "reset"


WAYS = {
    "plain": take,
    "locked": lambda cursor: take(cursor, lock="FOR UPDATE"),
    "serializable": take,
    "guarded": lambda cursor: take(cursor, guard="AND balance = {}"),
    "autocommit": take,
    "locked_late": locked_late,
    "unique": lambda cursor: sign_up(cursor, "users"),
    "twice": lambda cursor: sign_up(cursor, "guests"),
    "log_in": log_in,
    "look": look,
    "reset": reset,
}


def run(way):
    session = psycopg2.connect(os.environ["DATABASE_URL"])
    if way == "serializable":
        session.set_session(isolation_level="SERIALIZABLE")
    session.autocommit = way == "autocommit"
    try:
        with session.cursor() as cursor:
            answer = WAYS[way](cursor)
        session.commit()
        return answer
    finally:
        session.close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            status, answer = 200, run(self.path.strip("/"))
        except psycopg2.Error as error:
            status, answer = 409, str(error)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(answer.encode() + b"\n")

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    if sys.argv[1] in ("serve", "queue"):
        server = http.server.ThreadingHTTPServer if sys.argv[1] == "serve" else http.server.HTTPServer
        server(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
    print(run(sys.argv[1]))
