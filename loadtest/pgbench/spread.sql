-- From any of 1,000 accounts to any other.
\set f random(1, 1000)
\set other random(1, 999)
\set t case when :other >= :f then :other + 1 else :other end
