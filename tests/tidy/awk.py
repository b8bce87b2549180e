"""The generators of sql/ print the same with every awk: a new Debian has mawk, other systems have gawk, BWK awk or
busybox. Usage: awk.py ROOT. Exits 77 where there is only one awk.

Every mode of a generator reads every file, also where the build does not ask for that, and a file of awkward
characters. The runbook's program, which unpacks docs/RUNBOOK.md, is compared as well."""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

MODES = {"embed.awk": ("header", "source", "script", "list-header", "list"), "embed_sketches.awk": ("header", "source")}

AWKWARD = r"""-- part: tail
ORDER BY "a\b" -- \\ & \& %d %s
-- name: awkward SELECT accounts
SELECT 'a\b', E'\\n\t', '&', "q""q", '%s%%', 'ä€😀', $1, $$x$$, ''''
-- insert: tail
;
-- strategy: awkward
SELECT 'a\b & "c" %s'; --@ read after lock
"""


def found_awks(root):
    """The command of each awk that starts here, by its name."""
    private = root / ".lab/gawk/usr"
    candidates = {"mawk": ["mawk"], "gawk": ["gawk"], "BWK awk": ["original-awk"], "busybox": ["busybox", "awk"]}
    if shutil.which("gawk") is None and (private / "bin/gawk").exists():
        libraries = ":".join(str(folder) for folder in private.glob("lib/*") if folder.is_dir())
        candidates["gawk"] = ["env", f"LD_LIBRARY_PATH={libraries}", str(private / "bin/gawk")]
    found = {name: command for name, command in candidates.items() if starts(command)}
    default = os.path.realpath(shutil.which("awk") or "/")
    if starts(["awk"]) and default not in [os.path.realpath(shutil.which(command[0])) for command in found.values()]:
        found["awk"] = ["awk"]
    return found


def starts(command):
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run([*command, "BEGIN { exit 7 }"], stderr=subprocess.DEVNULL).returncode == 7


def generated(command, script, mode, file):
    outcome = subprocess.run([*command, "-v", f"mode={mode}", "-v", "name=x", "-f", script, file.name],
                             cwd=file.parent, stdin=subprocess.DEVNULL, capture_output=True)
    return outcome.returncode, outcome.stdout, outcome.stderr.splitlines()[:1]


def inputs(root, folder):
    awkward = folder / "awkward.sql"
    awkward.write_text(AWKWARD, encoding="utf-8")
    with_crlf = folder / "crlf.sql"
    with_crlf.write_bytes(AWKWARD.replace("\n", "\r\n").encode())
    return [*sorted((root / "sql").glob("*.sql")), *sorted((root / "sql/lessons").glob("*.sql")), awkward, with_crlf]


def compare_generators(root, awks, folder):
    """Yields each difference. The first awk is compared with the others."""
    first, *others = awks
    for script, modes in MODES.items():
        for mode in modes:
            for file in inputs(root, folder):
                wanted = generated(awks[first], root / "sql" / script, mode, file)
                for other in others:
                    if generated(awks[other], root / "sql" / script, mode, file) != wanted:
                        yield f"sql/{script}: mode {mode} of {file.name} differs between {first} and {other}"


def unpacked(command, program, runbook, folder):
    place = folder / "unpacked"
    shutil.rmtree(place, ignore_errors=True)
    for name in ("blocks", "expected"):
        (place / name).mkdir(parents=True)
    outcome = subprocess.run([*command, program, runbook], capture_output=True,
                             env={**os.environ, "runbook_unpack_place": str(place)})
    return outcome.returncode, outcome.stdout, {str(file.relative_to(place)): file.read_bytes()
                                                for file in place.rglob("*") if file.is_file()}


def compare_runbook(root, awks, folder):
    verb = (root / "compose/native/verbs/runbook.sh").read_text(encoding="utf-8")
    program = verb.split("runbook_unpack_program='", 1)[1].split("'", 1)[0]
    first, *others = awks
    wanted = unpacked(awks[first], program, root / "docs/RUNBOOK.md", folder)
    if len(wanted[2]) < 20:
        yield f"{first} unpacks {len(wanted[2])} files of docs/RUNBOOK.md"
    for other in others:
        if unpacked(awks[other], program, root / "docs/RUNBOOK.md", folder) != wanted:
            yield f"docs/RUNBOOK.md is unpacked differently by {first} and {other}"


def main(root):
    awks = found_awks(root)
    if len(awks) < 2:
        print("skipped: there is only one awk here: apt install mawk gawk busybox original-awk brings more")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="race-lab-awk-") as name:
        folder = pathlib.Path(name)
        wrong = [*compare_generators(root, awks, folder), *compare_runbook(root, awks, folder)]
    for line in wrong:
        print(line)
    print(f"compared: {', '.join(awks)}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]).resolve())
