"""The benchmarks' results are read and reported correctly: no server is needed."""

import pytest

from bench import Figures, options_of
from comparison import report, rounds
from harness import disk, pgbench, wrk


def strategy(name="x", safe=True, verdicts=None, consistent=True, **more):
    run = {"rate": 100.0, "p50_ms": 1.0, "p99_ms": 2.0, "refused": 0, "retries": {}, "lock_waiters": 0.0,
           "consistent": consistent}
    return {"name": name, "safe": safe, "rounds": verdicts or {"clean": 5}, "load": {"spread": run, "hot": run}, **more}


def test_wrk_s_report():
    load = wrk.parse('noise\nREPORT {"requests":110,"seconds":2.0,"p50_ms":1.5,"p99_ms":9.25,"refused":10,"broken":3}\n')
    assert (load.rate, load.p50_ms, load.p99_ms, load.refused, load.broken) == (50.0, 1.5, 9.25, 10, 3)
    with pytest.raises(RuntimeError):
        wrk.parse("unable to connect")


def test_pgbench_s_report():
    assert pgbench.parse("tps = 1234.5 (without initial connection time)\n") == 1234.5
    for broken in ("", "tps = 1.0 (x)\nclient 0 aborted in command 2", "number of failed transactions: 3 (1%)\ntps = 1.0 x"):
        with pytest.raises(RuntimeError):
            pgbench.parse(broken)


def test_pg_test_fsync_s_report():
    output = "        open_datasync      100.0 ops/sec\n        fdatasync       5415.762 ops/sec     185 usecs/op\n"
    assert disk.parse(output) == 5415.762
    with pytest.raises(RuntimeError):
        disk.parse("        fdatasync                                    n/a*")


def test_the_verdict_of_a_round():
    books = {"consistent": True, "violations": []}
    won, refused = {"status": "success", "anomaly": None}, {"status": "failed_insufficient_funds", "anomaly": None}
    assert rounds.verdict([won, refused], books) == "clean"
    assert rounds.verdict([won, {**won, "anomaly": "double_spend"}], books) == "double_spend"
    assert rounds.verdict([won, won], {"consistent": False, "violations": [{"kind": "overdrawn"}]}) == "overdrawn"
    assert rounds.verdict([won, {"status": "HTTP 503", "anomaly": None}], books) == "HTTP 503 + success"


def test_nothing_to_complain_of():
    assert report.complaints([strategy(), strategy(safe=False, verdicts={"double_spend": 5}, consistent=False)]) == []


@pytest.mark.parametrize("result", [
    strategy(verdicts={"clean": 4, "double_spend": 1}),
    strategy(consistent=False),
    strategy(safe=False, verdicts={"clean": 1, "lost_update": 4}),
    strategy(safe=False, verdicts={"clean": 5}),
])
def test_what_contradicts_the_list(result):
    complaints = report.complaints([result])
    assert complaints and all(each.startswith("x is said to be") for each in complaints)


def test_right_with_one_server_is_no_escape():
    assert report.complaints([strategy(safe=False, verdicts={"clean": 5}, one_server_is_right=True)]) == []


def test_the_tables_have_a_line_for_each():
    results = [strategy("first"), {"name": "second", "safe": False, "rounds": {"double_spend": 3}}]
    plain, coloured = report.table(results), report.table(results, colour=True)
    assert len(plain.splitlines()) == len(coloured.splitlines()) == 3
    assert "5 clean" in plain and "3/3 double_spend" in plain and "\033" not in plain
    assert len({line.count("|") for line in report.markdown(results).splitlines()}) == 1


def test_promises_are_ratios_of_medians():
    figures = Figures()
    for ours, theirs in ((10, 2), (30, 1), (20, 4)):
        figures.note("ours", ours)
        figures.note("theirs", theirs)
    figures.promise("at least", "ours", "theirs", least=10)
    figures.promise("more", "ours", "theirs", least=10.1)
    figures.promise("at most", "theirs", "ours", most=0.1)
    figures.promise("not measured", "ours", "nobody", least=1)
    assert [(each["what"], each["ratio"], each["held"]) for each in figures.promises] == [
        ("at least", 10.0, True), ("more", 10.0, False), ("at most", 0.1, True)]
    figures.ceiling("near", "theirs", "ours")
    figures.ceiling("not measured", "ours", "nobody")
    assert [(each["what"], each["ratio"]) for each in figures.ceilings] == [("near", 0.1)]


@pytest.mark.parametrize("arguments, rounds_and_seconds", [
    ([], (5, 3)), (["--quick"], (1, 1)), (["--quick", "--rounds", "2"], (2, 1)), (["--quick", "--seconds", "4"], (1, 4))])
def test_a_number_beside_quick_is_used(tmp_path, arguments, rounds_and_seconds):
    options = options_of([*arguments, "--out", str(tmp_path)])
    assert (options.rounds, options.seconds) == rounds_and_seconds
