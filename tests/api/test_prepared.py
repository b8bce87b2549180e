"""A prepared statement can become invalid or vanish in several ways. In each of them every request is still
answered."""

import pytest

from pace import HANG_GUARD, eventually
from strategies import SAFE, WRONG

CHANGES = {
    "another type of a column": ("ALTER TABLE accounts ALTER COLUMN version TYPE numeric",
                                 "ALTER TABLE accounts ALTER COLUMN version TYPE bigint"),
    "a column more": ("ALTER TABLE accounts ADD COLUMN note text", "ALTER TABLE accounts DROP COLUMN note"),
}


def everything_answers(bank):
    """Each kind of statement runs on sessions that have prepared it before."""
    for strategy in SAFE + WRONG:
        for _ in range(3):
            answer = bank.transfer("alice", "bob", "1", strategy)
            assert answer.status == 200, (strategy, answer)
    for target in ("/accounts", "/accounts/alice", "/transactions", "/health"):
        assert bank.get(target).status == 200, target
    assert bank.post("/reset").status == 200


@pytest.mark.parametrize("change", CHANGES)
def test_tables_are_changed_at_psql(start_bank, change):
    """0A000, "cached plan must not change result type": prepared again, also in the middle of a transaction."""
    bank = start_bank(WORKER_THREADS=4)
    everything_answers(bank)
    there, back = CHANGES[change]
    bank.rows(there)
    everything_answers(bank)
    bank.rows(back)
    everything_answers(bank)


def test_tables_are_changed_while_a_transfer_sleeps(start_bank, background):
    """Between the read and the write of one transfer, with and without a transaction."""
    bank = start_bank(WORKER_THREADS=4)
    everything_answers(bank)
    for strategy in ("vulnerable", "optimistic", "absolute_update"):
        bank.set(strategy=strategy, delay_enabled=True, delay_ms=60000)
        written = len(bank.log())
        sent = background(bank.transfer, "alice", "bob", "1")
        eventually(lambda: "Debug delay" in bank.log_since(written), "the transfer has read and sleeps")
        bank.rows(CHANGES["another type of a column"][0])
        bank.set(delay_enabled=False)
        assert sent.result(HANG_GUARD).status == 200
        bank.rows(CHANGES["another type of a column"][1])
    assert bank.balance("alice") == 997


def test_a_trigger_deallocates_them(start_bank):
    """26000: a trigger or a pooler can cause it; the missing statement is prepared again at its next use."""
    bank = start_bank(WORKER_THREADS=4)
    everything_answers(bank)
    bank.rows("CREATE SEQUENCE times")  # a rollback does not reset it
    bank.rows("CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
              "$$ BEGIN IF nextval('times') = 1 THEN EXECUTE 'DEALLOCATE ALL'; END IF; RETURN NULL; END $$")
    bank.rows("CREATE TRIGGER forget AFTER INSERT ON transfers FOR EACH STATEMENT EXECUTE FUNCTION forget()")
    for strategy in SAFE + WRONG:
        bank.rows("ALTER SEQUENCE times RESTART")
        for _ in range(3):
            answer = bank.transfer("alice", "bob", "1", strategy)
            assert answer.status == 200, (strategy, answer)
    assert bank.balances()["alice"] == 1000 - 3 * len(SAFE + WRONG)
    assert bank.rows("SELECT count(*) AS count FROM transfers")[0]["count"] == 3 * len(SAFE + WRONG)
