"""One checkout and two users, and places that nobody can write: one line says what to do, and nothing is harmed."""

import os
import pwd
import shutil
import subprocess

import pytest

from lab import PROGRAM, ROOT, Lab, new_folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")

NOBODY = pwd.getpwnam("nobody")


class UsersLab(Lab):
    """The launcher as the user nobody."""

    def _command(self, program, arguments, environment):
        command = super()._command(program, arguments, environment)
        command["args"] = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups",
                           *map(str, command["args"])]
        return command


@pytest.fixture
def folder():
    folder = new_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def checkout(folder):
    """A checkout of the user nobody, with its state below it; what runs in it is stopped."""
    root = folder / "checkout"
    (root / "compose").mkdir(parents=True)
    shutil.copy(ROOT / "lab", root)
    shutil.copytree(ROOT / "compose/native", root / "compose/native")
    program = root / "bank-api"
    shutil.copy(PROGRAM, program)
    lab = UsersLab(root, root / ".lab", program)
    give_to_nobody(root)
    yield lab
    give_to_nobody(root)
    lab.run("down")


def give_to_nobody(folder):
    subprocess.run(["chown", "-R", f"{NOBODY.pw_uid}:{NOBODY.pw_gid}", folder], check=True)


def as_root(lab):
    return Lab(lab.root, lab.state, lab.program)


def refused(lab, *arguments, **environment):
    outcome = lab.run(*arguments, timeout=60, **environment)
    assert outcome.returncode == 1, outcome.stdout
    assert outcome.stdout.startswith("lab: ") and outcome.stdout.count("\n") == 1, outcome.stdout
    return outcome.stdout


@pytest.mark.parametrize("verb", ["up", "down", "clean"])
def test_root_leaves_another_users_lab_alone(checkout, verb):
    checkout.up()
    options = ("--no-install",) if verb == "up" else ()
    line = refused(as_root(checkout), verb, *options)
    assert "postgres belongs to nobody: run ./lab as that user" in line
    assert checkout.get("/health")["database"] == "ok"
    assert checkout.run("down").returncode == 0
    # The next start needs everything to be the user's still.
    checkout.up()


def test_roots_lab_is_closed_to_a_user(checkout):
    root = as_root(checkout)
    root.up()
    try:
        assert ".lab belongs to root: run ./lab as that user" in refused(checkout, "up", "--no-install")
        os.chown(checkout.state, NOBODY.pw_uid, NOBODY.pw_gid)
        for verb in ("up", "demo", "runbook"):
            assert "belongs to root: run ./lab as that user" in refused(checkout, verb, "--no-install")
    finally:
        assert root.run("down").returncode == 0
        shutil.rmtree(checkout.state)


@pytest.mark.parametrize("name", ["lock", "demo", "postgres"])
def test_one_file_of_roots_is_named(checkout, name):
    checkout.state.mkdir()
    os.chown(checkout.state, NOBODY.pw_uid, NOBODY.pw_gid)
    if name == "lock":
        (checkout.state / name).touch()
    else:
        (checkout.state / name).mkdir()
    line = refused(checkout, "up", "--no-install")
    assert line == f"lab: {checkout.state / name} belongs to root: run ./lab as that user\n"


def test_a_folder_without_the_right_to_write_is_not_said_to_be_anothers(checkout):
    checkout.root.chmod(0o555)
    assert "is read-only: make it writable, or copy the checkout" in refused(checkout, "up", "--no-install")


@pytest.mark.parametrize("name", ["a file", "a file/state"])
def test_a_state_folder_that_cannot_be_made(checkout, folder, name):
    (folder / "a file").touch()
    root = Lab(checkout.root, folder / name, checkout.program)
    assert "cannot be made: name another one in LAB_STATE" in refused(root, "up", "--no-install")


def test_a_folder_is_no_program(checkout, folder):
    assert "LAB_PROGRAM: no program at" in refused(Lab(checkout.root, checkout.state, folder), "up", "--no-install")
