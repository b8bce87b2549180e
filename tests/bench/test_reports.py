"""The benchmarks' results are read and reported correctly: no server is needed."""

import pytest

import compare
from bench import Figures, options_of
from comparison import decision, load, report, rounds, scaling
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
    assert len(plain.splitlines()) == len(coloured.splitlines()) == 8
    assert plain.splitlines()[-1].startswith("first") and "5 clean" in plain and "3/3 double_spend" in plain and "\033" not in plain
    assert len({line.count("|") for line in report.markdown(results).splitlines()}) == 1


def test_the_terminal_s_tables_are_narrow():
    """The longest names and the largest figures fit 100 columns, and no table has two columns of one name."""
    run = {"rate": 12124.0, "p50_ms": 1062.4, "p99_ms": 1370.5, "refused": 9627, "retries": {"40001": 90586},
           "lock_waiters": 18.7, "consistent": False}
    loaded = strategy("subselect_predicate", safe=False, verdicts={"double_spend": 200})
    loaded |= {"load": {"spread": run, "hot": run}}
    loaded["clients"] = {shape: {str(2 ** power): run for power in range(1, 10)} for shape in ("spread", "hot")}
    raced = {"name": "process_mutex, 2 servers", "safe": False, "rounds": {"double_spend": 150, "clean": 50}}
    text = report.table([loaded, raced])
    assert max(map(len, text.splitlines())) <= 100
    for header in (line for line in text.splitlines() if line.startswith("strategy")):
        names = [name for name in header.split("  ") if name]
        assert len(set(names)) == len(names)
    assert len(set(report.COLUMNS)) == len(report.COLUMNS)
    assert text.count("by the number of clients") == 2


def test_the_decision_fits_a_terminal():
    runs = {shape: {"32": run_of(100, 9)} for shape in ("spread", "hot")}
    text = decision.in_words(outcome_of(serializable=runs, for_update=runs, optimistic=runs))
    assert max(map(len, text.splitlines())) <= 100 and "|" not in text
    assert "serializable: against for_update: 1.00 x at spread" in text


def test_one_run_alone_has_no_median():
    runs = {shape: {"32": run_of(100, runs=1)} for shape in ("spread", "hot")}
    text = decision.in_words(outcome_of(for_update=runs) | {"runs": 1})
    assert "for_update: against optimistic: not measured" in text
    assert "One run of 1 s with 32 clients: nothing is known of its noise." in text


def test_one_server_of_a_mutex_is_named():
    right = strategy("process_mutex", safe=False, verdicts={"clean": 5}, one_server_is_right=True)
    assert "5 clean (1 server)" in report.table([right])


def test_a_strategy_that_is_right_in_turn_is_named():
    right = strategy("replica_wait", safe=False, verdicts={"clean": 5}, in_turn_is_right=True)
    assert "5 clean (in turn)" in report.table([right]) and report.complaints([right]) == []
    assert report.complaints([strategy("replica_read", safe=False, verdicts={"clean": 5})])


def test_the_usage_has_the_name_that_people_type(capsys):
    for options_of_program, name in ((compare.options_of, "lab compare"), (options_of, "lab bench")):
        with pytest.raises(SystemExit):
            options_of_program(["--nope"])
        assert f"usage: {name} " in capsys.readouterr().err


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


def run_of(rate, retries=0, runs=3, spread=0.1):
    once = {"p50_ms": 1.0, "p99_ms": 8.0, "refused": 0, "broken": 0, "lock_waiters": 0.0, "consistent": True,
            "retries": {"40001": retries}}
    return load.median_of([{**once, "rate": rate * factor} for factor in (1 - spread, 1, 1 + spread)][:runs])


def outcome_of(**strategies):
    return {"connections": 32, "runs": 3, "seconds": 1, "strategies": [
        {"name": name, "safe": True, "rounds": {"clean": 1}, "load": {shape: runs[shape]["32"] for shape in runs},
         "clients": runs} for name, runs in strategies.items()]}


def test_runs_keep_their_band():
    assert run_of(100)["rate_band"] == [90, pytest.approx(110)]


def test_the_threshold_is_where_the_rates_part():
    """Few clients: as fast as with locks. Many on one account: a fifth, with ten retries per transfer."""
    outcome = outcome_of(
        optimistic={"spread": {"2": run_of(100), "32": run_of(1000)}, "hot": {"2": run_of(90, 9), "32": run_of(100, 1000)}},
        for_update={"spread": {"2": run_of(100), "32": run_of(900)}, "hot": {"2": run_of(100), "32": run_of(500)}})
    line = next(line for line in decision.table(outcome).splitlines() if "`optimistic`" in line)
    assert "1.11 x at spread, 32 clients; 0.20 x at hot, 32 clients and 10 retries per transfer" in line
    assert "1000 (900 to 1100)" in line
    assert "at most 10% away from its median" in decision.table(outcome)


def test_the_table_replaces_the_older_one(tmp_path):
    page = tmp_path / "README.md"
    page.write_text(f"# Title\n\n{decision.BEGIN}\nthe older table\n{decision.END}\n\nrest\n")
    outcome = outcome_of(for_update={"spread": {"32": run_of(10)}, "hot": {"32": run_of(5)}})
    assert decision.write_into(page, outcome) and decision.write_into(page, outcome)
    text = page.read_text()
    assert text.startswith("# Title") and text.endswith("rest\n") and "older" not in text
    assert text.count("`for_update`") == 1
    assert not decision.write_into(tmp_path / "none.md", outcome)


def test_numbers_of_clients(tmp_path):
    assert compare.options_of(["--clients", "32,2,8", "--out", str(tmp_path)]).clients == [2, 8, 32]
    for wrong in ("", "x", "0,2", "2,5000"):
        with pytest.raises(SystemExit):
            compare.options_of(["--clients", wrong, "--out", str(tmp_path)])


def point(clients, rate, p99_ms=10.0, name="for_update", **more):
    return {"strategy": name, "safe": True, "shape": "hot", "replicas": 1, "clients": clients, "rate": rate,
            "p50_ms": 1.0, "p99_ms": p99_ms, "refused": 0, "broken": 0, "consistent": True, **more}


def test_where_a_strategy_bends():
    """The first number of clients with nine tenths of the highest rate, and the highest rate within 100 ms."""
    curve = [point(1, 300.0), point(8, 950.0, 20.0), point(128, 1000.0, 200.0), point(2000, 800.0, 2000.0)]
    assert scaling.sizing(curve) == [["for_update", "hot", "1", "1000", "8", "20.0", "950", "0.80", "0"]]
    assert scaling.sizing([point(1, 5.0, 500.0)])[0][6] == "none"


@pytest.mark.parametrize("points, held", [
    ([point(512, 1000.0), point(2000, 800.0)], [True, True, True]),
    ([point(512, 1000.0), point(2000, 790.0)], [False, True, True]),
    ([point(32, 1000.0, name="batched"), point(512, 1490.0, name="batched")], [False, True, True]),
    ([point(8, 1.0, broken=1)], [False, True]),
    ([point(8, 1.0, consistent=False)], [True, False]),
    ([point(8, 1.0, consistent=False, safe=False)], [True, True]),
])
def test_what_scale_promises(points, held):
    assert [each["held"] for each in scaling.promises(points)] == held
