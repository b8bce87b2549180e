"""clang-tidy (14 or later) has nothing to say about any file of the compile database. The files that sql/ generates are
not checked. Usage: lint.py ROOT BUILD. Exits 77 where there is no clang-tidy.

The analyzer takes minutes for all files. BUILD/lint has an empty file for each source file that passed, named by a hash
of everything that the result depends on. A source file is checked again when one of these changes."""
import concurrent.futures
import contextlib
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time

KEPT_SECONDS = 30 * 86400  # so long after its last use a result is forgotten


def run(arguments, folder=None):
    return subprocess.run(arguments, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)


@functools.lru_cache(maxsize=None)
def content_hash(path, _changed, _size):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def identity(path):
    """The path and the content of a file. Comments count too: NOLINT is one."""
    status = os.stat(path)
    return f"{path} {content_hash(path, status.st_mtime_ns, status.st_size)}"


def headers(arguments, folder):
    """The files that the compiler reads, the source file included; None where it cannot compile the file."""
    kept = []
    for argument in arguments:
        if kept and kept[-1] == "-o":
            kept.pop()
        elif argument != "-c":
            kept.append(argument)
    result = run([*kept, "-M", "-w"], folder)
    if result.returncode != 0:
        return None
    names = re.findall(r"(?:\\ |\S)+", result.stdout.replace("\\\n", " ").split(":", 1)[1])
    return [os.path.join(folder, name.replace("\\ ", " ")) for name in names]


class Linter:
    """Checks files, and remembers those that passed."""

    def __init__(self, program, build):
        self.program = program
        self.build = build
        self.passed = build / "lint"
        self.passed.mkdir(exist_ok=True)
        version = run([program, "--version"]).stdout
        # A security update of the distribution keeps the version.
        self.tool = f"{version} {identity(os.path.realpath(program))} {identity(__file__)}"

    def state(self, path, entry):
        """A hash of all that the result depends on, or None where that is unknown."""
        arguments = entry.get("arguments") or shlex.split(entry["command"])
        try:
            read = headers(arguments, entry["directory"])
            if read is None:
                return None
            settings = [str(folder / ".clang-tidy") for folder in path.parents if (folder / ".clang-tidy").is_file()]
            parts = [self.tool, json.dumps(arguments), *map(identity, sorted(read)), *map(identity, settings)]
        except OSError:
            return None
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self, path, entry):
        """The findings, or None if the file passes; and whether clang-tidy ran now."""
        state = self.state(path, entry)
        if state and (self.passed / state).exists():
            os.utime(self.passed / state)
            return None, False
        result = run([self.program, "-p", str(self.build), "--quiet", str(path)])
        if result.returncode != 0:
            return result.stdout or result.stderr or f"{path}: clang-tidy ends with {result.returncode}\n", True
        if state and state == self.state(path, entry):  # no file changed meanwhile
            (self.passed / state).touch()
        return None, True

    def forget_the_old(self):
        for mark in self.passed.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if mark.stat().st_mtime < time.time() - KEPT_SECONDS:
                    mark.unlink()


def main():
    root, build = (pathlib.Path(path).resolve() for path in sys.argv[1:])
    program = shutil.which("clang-tidy")
    if not program:
        print("skipped: clang-tidy is not installed")
        sys.exit(77)
    linter = Linter(program, build)
    files = {}
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(entry["directory"], entry["file"]).resolve()
        if path.is_relative_to(root) and not path.is_relative_to(build):
            files[path] = entry
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        results = list(threads.map(lambda item: linter.check(*item), files.items()))
    linter.forget_the_old()
    findings = [said for said, _ in results if said]
    print("".join(findings), end="")
    print(f"{len(files)} files: {sum(now for _, now in results)} checked, the others passed before and are unchanged")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
