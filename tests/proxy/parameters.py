#!/usr/bin/env python3
"""Takes money by prepared statements with binary numbers: PROVE_COPY is the amount."""

import os

from libpq import Connection

connection = Connection(os.environ["DATABASE_URL"])
connection.simple("BEGIN")
balance = int(connection.extended("SELECT balance::int8 FROM accounts WHERE id = $1", ("alice",))[0][0])
connection.extended("UPDATE accounts SET balance = $1 WHERE id = $2",
                    (balance - int(os.environ["PROVE_COPY"]), "alice"), is_binary=True, is_prepared=True)
connection.simple("COMMIT")
connection.close()
