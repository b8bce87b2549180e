-- From one account to any other.
\set f 1
\set t random(2, 1000)
