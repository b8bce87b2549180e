"""Account ids that the database's encoding cannot write. No such account can exist, so the answer is 404. A request
that is read or posted together with such a request still gets its own answer."""

import contextlib
import urllib.parse

import pytest

from bank import Bank
from client import together, transfer_body
from pace import eventually
from problem import assert_problem
from strategies import SAFE, WRONG
from wire import request_bytes

STRATEGIES = SAFE + WRONG
EURO, JAPANESE, EMOJI, NONCHARACTER = "\u20ac", "\u65e5\u672c", "\U0001f600", "\uffff"

# For each encoding: a name that an account can have, and names that no account can have.
ENCODINGS = {
    "UTF8": ("\u00e9t\u00e9", []),
    "LATIN1": ("\u00e9t\u00e9", [EURO, JAPANESE, EMOJI, NONCHARACTER]),
    "WIN1252": (EURO, [JAPANESE, EMOJI, NONCHARACTER]),
    "EUC_JP": (JAPANESE, [EMOJI, NONCHARACTER]),
    "SQL_ASCII": (JAPANESE, []),
}
# Names of 64 bytes in each encoding that have the most bytes in UTF-8.
LONGEST = {
    "UTF8": "\u00e9" * 32,
    "LATIN1": "\u00e9" * 64,
    "WIN1252": EURO * 64,
    "EUC_JP": "\uff71" * 32,
    "EUC_JIS_2004": "\u304b\u309a" * 32,
    "SQL_ASCII": JAPANESE * 10 + "\u00e9" * 2,
}
FOREIGN = [JAPANESE, EURO, EMOJI, NONCHARACTER, "\ufdd0", "x" * 60 + EMOJI]


@contextlib.contextmanager
def bank_of_encoding(cluster, encoding, log, *statements):
    """A bank on a database of that encoding, where the statements are run before it starts."""
    name = cluster.unused_database_name()
    cluster.rows("postgres", f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0 "
                             "LC_COLLATE 'C' LC_CTYPE 'C'")
    run_in_utf8(cluster, name, *statements)
    bank = Bank(cluster, name, log, {})
    try:
        yield bank.until_healthy()
    finally:
        bank.stop()


def run_in_utf8(cluster, database, *statements):
    with cluster.session(database) as session:
        cursor = session.cursor()
        cursor.execute("SET client_encoding = 'UTF8'")
        for statement in statements:
            cursor.execute(statement.encode())


def add_account(bank, name, balance=100):
    run_in_utf8(bank.cluster, bank.database,
                f"INSERT INTO accounts (id, balance, initial_balance) VALUES ('{name}', {balance}, 100)")


@pytest.fixture(scope="module", params=ENCODINGS)
def encoded(request, cluster, tmp_path_factory):
    """A bank on a database of that encoding, with an account whose name is not ASCII."""
    with bank_of_encoding(cluster, request.param, tmp_path_factory.mktemp("encoded") / "log") as bank:
        bank.local, bank.unknown = ENCODINGS[request.param]
        add_account(bank, bank.local)
        yield bank


@pytest.fixture(autouse=True)
def reset(request):
    if "encoded" in request.fixturenames:
        request.getfixturevalue("encoded").back_to_the_initial_state()


def account(name):
    return "/accounts/" + urllib.parse.quote(name, safe="")


@contextlib.contextmanager
def everything_waits(bank):
    with bank.cluster.session(bank.database) as session:
        session.autocommit = False
        session.cursor().execute("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
        yield
        session.rollback()


def read_together(bank, names):
    """The answers to one read for each name: while an earlier read waits for the table, they queue up."""
    with contextlib.ExitStack() as stack:
        with everything_waits(bank):
            wires = []
            for name in ["alice", *names]:
                wires.append(stack.enter_context(bank.wire()))
                wires[-1].send(request_bytes("GET", account(name)))
                if len(wires) == 1:
                    bank.until_waiting_for_locks(1)
            assert bank.get("/health").status == 200
        return [wire.answer() for wire in wires][1:]


def test_an_account_of_the_database_s_own_letters(encoded):
    assert encoded.get(account(encoded.local)).json() == {"id": encoded.local, "balance": 100}
    for strategy in STRATEGIES:
        assert encoded.transfer(encoded.local, "alice", 1, strategy).status == 200, strategy
        assert encoded.transfer("alice", encoded.local, 1, strategy).status == 200, strategy
    assert encoded.get(account(encoded.local)).json()["balance"] == 100


@pytest.mark.parametrize("name", FOREIGN)
def test_one_read(encoded, name):
    if name != encoded.local:
        assert_problem(encoded.get(account(name)), 404)


def test_reads_that_go_together(encoded):
    names = ["alice", *[name for name in FOREIGN if name != encoded.local], encoded.local, "bob", "nobody"]
    answers = dict(zip(names, read_together(encoded, names)))
    assert {name for name, answer in answers.items() if answer.status == 200} == {"alice", "bob", encoded.local}
    assert {answer.status for answer in answers.values()} == {200, 404}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_transfer(encoded, strategy):
    before = encoded.balances()
    for name in FOREIGN:
        if name == encoded.local:
            continue
        for source, target, role in (name, "bob", "take from"), ("alice", name, "give to"), (name, EMOJI * 2, "take from"):
            answer = encoded.transfer(source, target, 1, strategy)
            assert_problem(answer, 404)
            assert f'"{target if role == "give to" else source}" to {role}' in answer.json()["detail"]
    assert encoded.balances() == before
    assert encoded.recorded() == []


def test_transfers_that_go_together(encoded):
    """While one batch waits for the table, the others queue for the next one."""
    foreign = [name for name in FOREIGN if name != encoded.local]
    pairs = [("alice", "bob"), ("charlie", encoded.local), (encoded.local, "bob")]
    pairs += [(name, "bob") for name in foreign] + [("alice", name) for name in foreign] + [("bob", "alice")]
    with contextlib.ExitStack() as stack:
        with everything_waits(encoded):
            wires = []
            for source, target in [("bob", "charlie"), *pairs]:
                wires.append(stack.enter_context(encoded.wire()))
                wires[-1].send(request_bytes("POST", "/transfer", "Content-Type: application/json",
                                             body=transfer_body(source, target, "1", "batched").encode()))
                if len(wires) == 1:
                    encoded.until_waiting_for_locks(1)
            eventually(lambda: encoded.get("/health").status == 200, "all have come")
        answers = [wire.answer() for wire in wires][1:]
    for (source, target), answer in zip(pairs, answers):
        known = {source, target} <= {"alice", "bob", "charlie", encoded.local}
        assert answer.status == (200 if known else 404), (source, target, answer)
        if not known:
            role = "give to" if source in ("alice", "bob") else "take from"
            assert f"to {role}" in answer.json()["detail"]
    assert len(encoded.recorded()) == 5
    assert encoded.get("/audit").json()["consistent"] is True


@pytest.mark.parametrize("transfer_id", ["\u65e5\u672cab", EMOJI * 2, "\uffff\uffffzz"])
def test_one_race(encoded, transfer_id):
    assert len(transfer_id.encode()) == 8
    assert_problem(encoded.get("/races/" + urllib.parse.quote(transfer_id)), 404)


def test_bytes_that_are_no_character(encoded):
    for path in "/accounts/alice%00", "/accounts/%00", "/accounts/%FF", "/accounts/%C3", "/accounts/%ED%A0%80", "/accounts/%F4%90%80%80", "/races/%FF%FFabcdef":
        assert_problem(encoded.get(path), 400)
    for name in "\\u0000", "alice\\u0000", "\\ud800", "\\udc00\\ud800":
        body = '{"from_account": "alice", "to_account": "%s", "amount": 1}' % name
        answer = encoded.request("POST", "/transfer", body, {"Content-Type": "application/json"})
        assert answer.status in (400, 404, 422), (name, answer)


def test_a_balance_that_is_no_money_fails_only_its_own_read(encoded):
    encoded.rows("UPDATE accounts SET balance = 'NaN' WHERE id = 'bob'")
    names = ["alice", "bob", "charlie", "nobody", "bob"]
    assert [answer.status for answer in read_together(encoded, names)] == [200, 500, 200, 404, 500]


@pytest.fixture(params=LONGEST)
def longest(request, cluster, tmp_path):
    """A bank with two accounts whose names are as long as the table takes, and differ in the last byte only."""
    with bank_of_encoding(cluster, request.param, tmp_path / "log") as bank:
        bank.long = LONGEST[request.param]
        bank.similar = bank.long[:-2] + "xy"
        for name in bank.long, bank.similar:
            add_account(bank, name)
        yield bank


def test_the_longest_names(longest):
    """Every answer has the whole name, and every request may send it."""
    long = longest.long
    assert {long, longest.similar} <= set(longest.balances())
    assert longest.get(account(long)).json() == {"id": long, "balance": 100}
    for strategy in STRATEGIES:
        answer = longest.transfer(long, "bob", 1, strategy)
        assert (answer.status, answer.json()["from_account"]) == (200, long), answer
        assert longest.transfer(longest.similar, long, 1, strategy).json()["to_account"] == long
    record = longest.transfer(long, longest.similar, 1, "vulnerable").json()
    kept = longest.transactions()[-1]
    assert (kept["from_account"], kept["to_account"]) == (long, longest.similar)
    story = longest.get("/races/" + record["id"]).json()
    assert story["race"]["account"] == story["transfers"][0]["from_account"] == long
    steps = {step["step"]: step.get("account") for step in story["transfers"][0]["steps"]}
    assert (steps["deduct"], steps["credit"]) == (long, longest.similar)
    assert {long, longest.similar} <= {labels["account_id"] for labels in longest.scrape().labels("account_balance")}
    assert {each["id"] for each in longest.post("/reset").json()["accounts"]} >= {long, longest.similar}


def test_a_race_of_the_longest_names(longest):
    """The barrier, the queues of the accounts and the audit distinguish such names."""
    for strategy in "vulnerable", "batched", "for_update":
        longest.back_to_the_initial_state()
        longest.set(strategy=strategy, barrier_enabled=True, barrier_count=4)
        names = [longest.long, longest.similar] * 2
        assert {answer.status for answer in together(*[
            lambda name=name: longest.transfer(name, "bob", 80) for name in names])} == {200}
        balance = -60 if strategy == "vulnerable" else 20
        assert [longest.balances()[name] for name in names[:2]] == [balance, balance]
        races = longest.get("/races").json()["races"]
        assert {race["account"] for race in races[:2]} == set(names)
        if strategy == "vulnerable":
            overdrawn = [each for each in longest.get("/audit").json()["violations"] if each["kind"] == "overdrawn"]
            assert {each["account"] for each in overdrawn} == set(names)


def test_names_that_are_too_long(longest):
    for name in "x" * 65, EMOJI * 65:
        assert "64 characters" in assert_problem(longest.get(account(name)), 404)["detail"]
        assert "64 characters" in assert_problem(longest.transfer("alice", name, 1), 422)["detail"]
    for name in "x" * 64, EMOJI * 64:
        assert_problem(longest.get(account(name)), 404)
        assert_problem(longest.transfer("alice", name, 1), 404)


def test_a_schema_with_a_long_name(cluster, tmp_path):
    """PostgreSQL allows 63 bytes in the encoding of the database; in UTF-8 the name has more."""
    name = "\u00e9" * 63
    search_path = ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = \"" + name +
                   "\"', current_database()); END $$")
    with bank_of_encoding(cluster, "LATIN1", tmp_path / "log", f'CREATE SCHEMA "{name}"', search_path) as bank:
        assert bank.transfer("alice", "bob", 1).status == 200
        rows = bank.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() "
                         "AND octet_length(schemaname::text) = 63 AND tablename IN ('accounts', 'transfers')")
        assert len(rows) == 2
