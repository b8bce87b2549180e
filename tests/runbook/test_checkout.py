"""A checkout as people have it: with the line ends of Windows, and in a folder of any name."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest

from lab import PROGRAM, ROOT, Lab, fetch, free_port, new_folder


def git(*arguments, cwd):
    return subprocess.run(["git", "-c", "user.name=lab", "-c", "user.email=lab@localhost", *map(str, arguments)],
                          cwd=cwd, check=True, stdout=subprocess.PIPE).stdout


def with_crlf(file):
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))


def copy_of_the_launcher(root):
    """The files that the launcher needs where LAB_PROGRAM names a built program."""
    (root / "compose").mkdir(parents=True)
    shutil.copy(ROOT / "lab", root)
    shutil.copytree(ROOT / "compose/native", root / "compose/native")
    return root


@pytest.fixture
def folder():
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


# Line ends


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="no git checkout")
def test_a_clone_with_autocrlf_has_the_same_bytes(folder):
    tracked = [pathlib.Path(os.fsdecode(name)) for name in
               git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT).split(b"\0")[:-1]]
    tracked = [name for name in tracked if (ROOT / name).is_file()]
    origin = folder / "origin"
    for name in tracked:
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, origin / name)
    git("init", "-q", cwd=origin)
    git("add", ".", cwd=origin)
    git("commit", "-q", "-m", "all", cwd=origin)
    git("clone", "-q", "-c", "core.autocrlf=true", origin, folder / "clone", cwd=folder)
    assert [str(name) for name in tracked
            if (folder / "clone" / name).read_bytes() != (ROOT / name).read_bytes()] == []


def embed(script, mode, file):
    return subprocess.run(["awk", "-v", f"mode={mode}", "-v", f"name={file.stem}", "-f", script, file.name],
                          cwd=file.parent, check=True, stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("mode, name", [("header", "statements"), ("source", "statements"), ("script", "schema"),
                                        ("script", "seed"), ("script", "views")])
def test_sql_with_crlf_is_embedded_as_without(folder, mode, name):
    script, file = ROOT / "sql/embed.awk", ROOT / f"sql/{name}.sql"
    shutil.copy(file, folder)
    with_crlf(folder / file.name)
    plain = embed(script, mode, file)
    assert plain.count(b"\n") > 10
    assert embed(script, mode, folder / file.name) == plain


@pytest.mark.parametrize("name", ["lab", "compose/native/verbs/help.sh", "compose/native/lib/terminal.sh"])
def test_a_script_with_crlf_is_one_line_that_says_how_to_mend_it(folder, name):
    root = copy_of_the_launcher(folder / "it's here")
    for other in (".ci/run", "tests/compose/run", "tests/compose/stand-ins/x"):
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / other).write_text("")
    with_crlf(root / name)
    outcome = subprocess.run([root / "lab", "help"], capture_output=True, text=True)
    assert outcome.returncode == 1 and outcome.stdout == ""
    assert outcome.stderr.startswith("lab: its scripts have CRLF line ends") and outcome.stderr.count("\n") == 1
    command = outcome.stderr[outcome.stderr.index("sed -i"):]
    subprocess.run(["bash", "-c", command], cwd=root, check=True)
    outcome = subprocess.run([root / "lab", "help"], capture_output=True, text=True)
    assert outcome.returncode == 0 and outcome.stdout.startswith("Race Conditions Lab")


# Paths


def works(lab):
    """up, a transfer, psql and down."""
    lab.up()
    body = json.dumps({"from_account": "alice", "to_account": "bob", "amount": 100}).encode()
    assert fetch(lab.url + "/transfer", body)["status"] == "success"
    outcome = lab.run("psql", "-X", "-At", "-c", "SELECT balance FROM accounts WHERE id = 'alice'")
    assert outcome.stdout == "900.00\n", outcome.stdout
    outcome = lab.run("down")
    assert outcome.returncode == 0, outcome.stdout
    assert "PostgreSQL stopped" in outcome.stdout
    socket_folder = pathlib.Path((lab.state / "postgres/address").read_text().splitlines()[1])
    assert socket_folder == lab.state / "postgres/socket" or not socket_folder.exists()


@pytest.mark.parametrize("name", [
    "a,b", 'a"b', "a'b", "a;b", "a#b", "a\\b", "a[b", "a]b", "a$b", "$(exit 1)", "a*b", "a?b", "a&b", "a b", "a\tb", "-ab",
    "aé日b", "a" * 120])
def test_a_folder_of_any_name(folder, name):
    """The checkout, its state and the program are in that folder."""
    root = copy_of_the_launcher(folder / name)
    program = root / "build/bank api"
    program.parent.mkdir()
    shutil.copy(PROGRAM, program)
    works(Lab(root, root / ".lab", program))


def test_names_that_would_do_harm_if_a_shell_read_them(folder):
    """LAB_STATE and LAB_PROGRAM beside a plain checkout, relative, and with a dash in front."""
    root = copy_of_the_launcher(folder / "plain")
    name = "-a,'\"\\;#[]$(touch harm)`touch harm`${HOME}*?&|%s:= \té"
    shutil.copy(PROGRAM, folder / name)
    works(Lab(root, folder / f"{name} state", folder / name))
    assert not list(folder.rglob("harm"))


def refused(lab, *arguments, **environment):
    """The one line of a launcher that did nothing."""
    before = sorted(lab.root.rglob("*"))
    outcome = lab.run(*arguments, **environment)
    assert outcome.returncode == 1, outcome.stdout
    assert outcome.stdout.startswith("lab: ") and outcome.stdout.count("\n") == 1, outcome.stdout
    assert sorted(lab.root.rglob("*")) == before
    return outcome.stdout


@pytest.mark.parametrize("name", ["a\nb", "ab\n"])
def test_a_line_break_is_refused(folder, name):
    root = copy_of_the_launcher(folder / name)
    assert "line break" in refused(Lab(root, folder / "state"), "up", "--no-install")
    plain = copy_of_the_launcher(folder / "plain")
    assert "LAB_STATE has a line break" in refused(Lab(plain, folder / name / "state"), "up", "--no-install")
    assert "LAB_PROGRAM has a line break" in refused(Lab(plain, folder / "state", folder / name), "up", "--no-install")


def test_a_path_of_any_length_works_or_is_refused(folder):
    plain = copy_of_the_launcher(folder / "plain")
    state = folder
    while len(str(state)) < 800:
        state = state / ("x" * 90)
    works(Lab(plain, state))
    while len(str(state)) <= 900:
        state = state / ("x" * 90)
    assert "LAB_STATE has a path of" in refused(Lab(plain, state), "up", "--no-install")


@pytest.mark.parametrize("verb, character", [
    *(("up", character) for character in [*";#\"\\[]|<>", "${"]),
    *((verb, ";") for verb in ("demo", "test", "runbook", "bench", "compare"))])
def test_a_folder_in_which_cmake_cannot_build_is_named_before_anything_is_done(folder, verb, character):
    root = copy_of_the_launcher(folder / f"a{character}b")
    (root / "docs").mkdir()
    (root / "docs/RUNBOOK.md").write_text("")
    line = refused(Lab(root, root / ".lab"), verb, "--no-install", LAB_PROGRAM="")
    assert f"CMake cannot build where a path has the character '{character}'" in line


@pytest.mark.parametrize("verb", ["test", "bench"])
def test_a_colon_is_refused_where_tools_come_into_PATH(folder, verb):
    root = copy_of_the_launcher(folder / "a:b")
    assert "the character ':'" in refused(Lab(root, root / ".lab"), verb, "--no-install", LAB_PROGRAM="")


@pytest.mark.parametrize("name", ["a$b", "a'b", "a*b", "a?b", "a&b", "a b", "a,b", "-ab", "aéb"])
def test_a_folder_in_which_cmake_builds_is_not_refused(folder, name):
    """The build itself takes a minute: a compiler that ends at once shows that it was begun."""
    root = copy_of_the_launcher(folder / name)
    for file in ("CMakeLists.txt", "CMakePresets.json"):
        shutil.copy(ROOT / file, root)
    outcome = Lab(root, root / ".lab").run("up", "--no-install", "--port", free_port(), LAB_PROGRAM="",
                                            CC="false")
    assert outcome.returncode == 1
    assert "the release build failed" in outcome.stdout, outcome.stdout
