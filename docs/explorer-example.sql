-- An appointment page in the spirit of cal.com: a host has event types, and a guest takes a slot. The page looks for a
-- appointment that overlaps, locks what it finds, and inserts. Guests found two appointments at one hour.
--
-- The race: the look locks rows that exist, and the slot is free because no such row exists.
-- expect rc: anomaly, invariant
-- expect rr: anomaly, invariant
-- expect ser: clean

-- setup
CREATE TABLE hosts (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE appointments (
    host integer NOT NULL REFERENCES hosts,
    guest text NOT NULL,
    begins timestamp NOT NULL,
    ends timestamp NOT NULL,
    status text NOT NULL DEFAULT 'accepted',
    CHECK (begins < ends)
);
INSERT INTO hosts VALUES (1, 'Ada');

-- session A guest=bob begins='2030-01-07 10:00' ends='2030-01-07 11:00'
BEGIN;
SELECT count(*) = 0 AS is_free
  FROM (SELECT FROM appointments
         WHERE host = 1 AND status = 'accepted' AND begins < :'ends' AND ends > :'begins' FOR UPDATE) AS taken \gset
\if :is_free
INSERT INTO appointments (host, guest, begins, ends) VALUES (1, :'guest', :'begins', :'ends');
\endif
COMMIT;

-- session B like A guest=carol begins='2030-01-07 10:30' ends='2030-01-07 11:30'

-- invariant one_guest_at_a_time
SELECT NOT EXISTS (SELECT FROM appointments one JOIN appointments other USING (host)
                    WHERE one.guest < other.guest AND one.begins < other.ends AND other.begins < one.ends);
