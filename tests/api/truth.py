"""Compares the answer to one transfer with the tables afterwards."""

from problem import assert_problem


class Truth:
    """The tables before and after one transfer; nothing else ran meanwhile."""

    def __init__(self, bank, source="alice", target="bob", amount=1):
        self.bank = bank
        self.source, self.target, self.amount = source, target, amount
        self.before = self._look()

    def _look(self):
        rows = self.bank.rows("SELECT id, balance FROM accounts")
        records = self.bank.rows("SELECT count(*) AS count FROM transfers WHERE status = 'success'")
        return {row["id"]: row["balance"] for row in rows}, records[0]["count"]

    def moved(self):
        """The money that left the source, the money that reached the target, and the number of recorded successes."""
        (before, recorded), (after, recorded_after) = self.before, self._look()
        return (before[self.source] - after[self.source], after[self.target] - before[self.target],
                recorded_after - recorded)

    def holds_for(self, answer):
        """Fails if the answer says anything that the tables contradict."""
        amount, moved = self.amount, self.moved()
        nothing, all_of_it = (0, 0, 0), (amount, amount, 1)
        if answer.status == 200:
            assert moved == (all_of_it if answer.json()["status"] == "success" else nothing), (answer, moved)
            return
        detail = assert_problem(answer, 500, 503, 504)["detail"]
        claims = {
            "nothing was transferred": [nothing],
            "has not reached": [(amount, 0, 0)],
            "the money was moved": [(amount, amount, 0)],
            "so it may or may not have happened": [nothing, all_of_it],
            "has not received it": [nothing, (amount, 0, 0)],
            "it was taken from": [(amount, 0, 0), (amount, amount, 0)],
            "Both balances have changed": [(amount, amount, 0), all_of_it],
            "is committed": [all_of_it, (amount, amount, 0)],
        }
        made = [allowed for words, allowed in claims.items() if words in detail]
        assert made, f"says nothing about the money: {detail}"
        for allowed in made:
            assert moved in allowed, (detail, moved)
