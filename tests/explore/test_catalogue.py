"""The catalogue: each case shows what its comments state, and the pages are what the script writes."""

import subprocess
import sys

import catalogue_pages


def run(cluster, *arguments):
    from explorer import PROGRAM

    return subprocess.run([PROGRAM, "--server", cluster.url("postgres"), "--catalogue", *map(str, arguments)], text=True,
                          capture_output=True, check=False)


def test_each_case_shows_what_it_states(cluster):
    done = run(cluster)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 differ" in done.stdout


def test_the_example_of_the_documentation(cluster):
    from explorer import ROOT

    done = run(cluster, ROOT / "docs/explorer-example.sql")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " ".join(done.stdout.split()).count("18 of 20 orders") == 3  # one for each level


def test_a_difference_is_shown(cluster, tmp_path):
    case = tmp_path / "wrong.sql"
    case.write_text((catalogue_pages.CASES / "write_skew.wrong.sql").read_text().replace("rc: anomaly, invariant", "rc: clean"))
    done = run(cluster, case)
    assert done.returncode == 1
    assert "DIFFERS: expected clean" in done.stdout


def test_an_expectation_that_cannot_be_read_is_refused(cluster, tmp_path):
    for words, problem in (("rc: fine", "expected clean"), ("rx: clean", "as the level"), ("rc: clean, error", "clean")):
        case = tmp_path / "case.sql"
        case.write_text(f"-- expect {words}\n-- setup\nCREATE TABLE t (n integer);\n")
        done = run(cluster, case)
        assert done.returncode == 2
        assert "case.sql:1: " in done.stderr and problem in done.stderr


def test_a_file_without_an_expectation_is_refused(cluster, tmp_path):
    case = tmp_path / "case.sql"
    case.write_text("-- setup\nCREATE TABLE t (n integer);\n")
    assert run(cluster, case).returncode == 2


def test_the_pages_are_what_the_script_writes(cluster):
    from explorer import PROGRAM

    done = subprocess.run([sys.executable, "-B", catalogue_pages.__file__, PROGRAM, cluster.url("postgres"), "--check"],
                          text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
