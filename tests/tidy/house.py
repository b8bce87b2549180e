"""The folders of C form a graph without cycles, and so do the files of each folder. The table is folders.txt."""
import fnmatch
import pathlib
import re
from typing import NamedTuple

import c_source
import tree

TABLE = "tests/tidy/folders.txt"
CALL = re.compile(r"(\S+): (\S+) -> (\S+): (\S.*)")


class Exemption(NamedTuple):
    line: int
    folder: str
    caller: str
    called: str


class Table:
    """folders.txt of the tree that is checked, or else the one beside this file."""

    def __init__(self, root):
        own = pathlib.Path(root) / TABLE
        self.path = own if own.is_file() else pathlib.Path(__file__).resolve().parent / "folders.txt"
        self.folders = {}  # name -> line of the table; in the table's order
        self.generated, self.libraries, self.far, self.apart = {}, {}, {}, set()
        self.exemptions, self.wrong = [], []
        for number, line in enumerate(tree.text_of(self.path).split("\n"), 1):
            line = line.split("#")[0].strip()
            if line:
                self._read(number, line)
        self.order = list(self.folders)
        self.columns = list(dict.fromkeys(name.split("/")[0] for name in self.order))

    def _read(self, number, line):
        kind, _, rest = line.partition(" ")
        name, _, values = rest.partition(":")
        call = CALL.fullmatch(rest)
        if not rest:
            self.folders[line] = number
        elif kind in ("generated", "library", "far"):
            table = {"generated": self.generated, "library": self.libraries, "far": self.far}[kind]
            table[name] = values.split()
        elif kind == "apart":
            self.apart.add(rest)
        elif kind == "call" and call:
            self.exemptions.append(Exemption(number, *call.groups()[:3]))
        else:
            self.wrong.append((number, f"cannot be read: {line}"))

    def folder_of(self, relative):
        return relative if relative in self.folders else relative.rpartition("/")[0]

    def public_header(self, folder):
        return folder if folder.endswith(".h") else f"{folder}/{folder.rsplit('/', 1)[-1]}.h"

    def may_use(self, user, used):
        """Whether a folder may include and call another."""
        if user == used or user not in self.folders or used not in self.folders:
            return user == used
        column, other = user.split("/")[0], used.split("/")[0]
        if column == other:
            return self.order.index(used) < self.order.index(user)
        return self.columns.index(other) < self.columns.index(column)


class House:
    """All files of C of the programs, and the graphs they form."""

    def __init__(self, root):
        self.root = pathlib.Path(root)
        self.table = Table(root)
        self.sources = {str(path.relative_to(self.root)): c_source.Source(path)
                        for path in tree.files(root, tree.SOURCES, {".c", ".h"})}
        self.tests = {str(path.relative_to(self.root)): c_source.Source(path)
                      for path in tree.files(root, ("tests",), {".c", ".h"})}
        self.by_name = {}
        for relative in self.sources:
            self.by_name.setdefault(relative.rsplit("/", 1)[-1], []).append(relative)
        for header in self.table.generated:
            self.by_name.setdefault(header.rsplit("/", 1)[-1], []).append(header)
        self.defined_in = {}  # external function -> files; of a header the static functions and the macros as well
        for relative, source in self.sources.items():
            is_header = relative.endswith(".h")
            for name in source.external | (source.own | source.macros if is_header else set()):
                self.defined_in.setdefault(name, []).append(relative)

    def folder_of(self, relative):
        return self.table.folder_of(relative)

    def header_of(self, name):
        """The file that an include names: by its path, or, in a tree without paths, by its last part."""
        if name in self.sources:
            return name
        named = self.by_name.get(name, [])
        return named[0] if len(named) == 1 and named[0] in self.sources else None

    def uses(self):
        """(file, line, function, file that defines it) of each use of another file's function."""
        for relative, source in self.sources.items():
            for name, line in source.uses(self.defined_in):
                where = self.defined_in[name]
                if relative not in where:
                    yield relative, line, name, where


def module_of(relative):
    return relative.rsplit("/", 1)[-1].split(".")[0]


def node_of(relative):
    """In the graph of calls: x for x.c; x.h for the macros and inline functions of x.h."""
    return module_of(relative) + (".h" if relative.endswith(".h") else "")


def cycles(edges):
    """The sets of nodes that reach each other; `edges` is a dictionary of sets."""
    nodes = set(edges) | {each for targets in edges.values() for each in targets}
    reach = {}
    for node in nodes:
        seen, waiting = set(), list(edges.get(node, ()))
        while waiting:
            each = waiting.pop()
            if each not in seen:
                seen.add(each)
                waiting.extend(edges.get(each, ()))
        reach[node] = seen
    found = {frozenset(other for other in reach[node] if node in reach[other]) for node in nodes if node in reach[node]}
    return sorted((sorted(each) for each in found), key=lambda each: each[0])


def graph_of(pairs):
    edges = {}
    for one, other in pairs:
        if one != other:
            edges.setdefault(one, set()).add(other)
    return edges


def folder_pairs(house):
    """(folder, folder) of each include and each call across folders."""
    for relative, source in house.sources.items():
        for _, own, name in source.includes:
            header = house.header_of(name) if own else None
            if header:
                yield house.folder_of(relative), house.folder_of(header)
    for relative, _, _, where in house.uses():
        if len(where) == 1:
            yield house.folder_of(relative), house.folder_of(where[0])


def module_uses(house):
    """folder -> {(node, node): (file, line, function)}: the first use of each pair of files in one folder."""
    found = {}
    for relative, line, name, where in house.uses():
        folder = house.folder_of(relative)
        for other in where:
            if house.folder_of(other) == folder:
                pairs = found.setdefault(folder, {})
                pairs.setdefault((node_of(relative), node_of(other)), (relative, line, name))
    return found


def file_cycles(pairs):
    """The cycles of calls between files; x.c and its own header are one."""
    return [ring for ring in cycles(graph_of(pairs)) if len({module_of(each) for each in ring}) > 1]


def check_library(table, relative, name):
    for library, allowed in table.libraries.items():
        if name == library or (library.endswith("/") and name.startswith(library)):
            if not any(fnmatch.fnmatchcase(relative, pattern) for pattern in allowed):
                return f"includes {name}, which is for {' and '.join(allowed)} alone"
    return None


def check_include(house, relative, name):
    """The fault of a quoted include, or None."""
    table = house.table
    folder = house.folder_of(relative)
    if name in table.generated:
        column = relative.split("/")[0]
        return None if column in table.generated[name] else f"{column}/ includes {name}"
    if name not in house.sources:
        known = house.by_name.get(name.rsplit("/", 1)[-1])
        return f'includes "{name}": write "{known[0]}"' if known else f"includes {name}, which is no header of the tree"
    other = house.folder_of(name)
    if other == folder:
        apart = folder in table.apart and module_of(relative) != module_of(folder)
        if apart and module_of(name) not in (module_of(relative), module_of(folder)):
            return f"includes {name}: the files of {folder} know nothing of each other"
        return None
    if other in table.folders and not table.may_use(folder, other):
        return f"{folder} includes {name} of {other}, which is not below it in {TABLE}"
    if name != table.public_header(other):
        return f"includes {name}, which is private to {other}: include {table.public_header(other)}"
    return None


def check_includes(house):
    for relative, source in house.sources.items():
        for line, own, name in source.includes:
            if own and name.endswith(".c"):
                yield relative, line, f"includes a source file, {name}"
            else:
                problem = check_include(house, relative, name) if own else None
                problem = problem or check_library(house.table, relative, name)
                if problem:
                    yield relative, line, problem


def check_tests(house):
    """Tests include what they like, but from the root; their own headers lie beside them or elsewhere in tests/."""
    beside = {relative.rsplit("/", 1)[-1] for relative in house.tests if relative.endswith(".h")}
    for relative, source in house.tests.items():
        for line, own, name in source.includes:
            if own and name.endswith(".c"):
                yield relative, line, f"includes a source file, {name}"
            elif own and name not in house.sources and name not in house.table.generated and name not in beside:
                known = house.by_name.get(name.rsplit("/", 1)[-1])
                if known:
                    yield relative, line, f'includes "{name}": write "{known[0]}"'


def check_files(house):
    present = set()
    for relative in house.sources:
        folder = house.folder_of(relative)
        if folder not in house.table.folders:
            yield relative, 1, f"{folder} is no folder of {TABLE}"
        if relative.endswith("/common.h"):
            yield relative, 1, "a header named common.h has every reason to change"
        present.add(folder)
    top = house.table.order[-1] if house.table.order else None
    for folder, line in house.table.folders.items():
        if folder not in present:
            yield TABLE, line, f"{folder} has no files"
        elif folder != top and house.table.public_header(folder) not in house.sources:
            yield TABLE, line, f"{folder} has no public header {house.table.public_header(folder)}"


def reached(house, relative, seen):
    for _, own, name in house.sources[relative].includes:
        if own and name not in seen:
            seen.add(name)
            if name in house.sources:
                reached(house, name, seen)
    return seen


def check_far(house):
    for relative in house.sources:
        for forbidden in house.table.far.get(house.folder_of(relative), ()):
            for name in sorted(reached(house, relative, set())):
                if house.folder_of(name) == forbidden:
                    yield relative, 1, f"reaches {name} of {forbidden}"


def check_folder_calls(house):
    """A call can go up without an include: a header of the lower folder may declare what a higher one defines."""
    for relative, line, name, where in house.uses():
        folder = house.folder_of(relative)
        above = [house.folder_of(each) for each in where]
        if all(each in house.table.folders and not house.table.may_use(folder, each) for each in above):
            yield relative, line, f"{folder} uses {name}() of {above[0]}, which is not below it in {TABLE}"


def check_modules(house):
    exemptions = list(house.table.exemptions)
    for folder, pairs in module_uses(house).items():
        if folder in house.table.apart:
            for (caller, called), (relative, line, name) in pairs.items():
                names = {module_of(caller), module_of(called)}
                if len(names) > 1 and module_of(folder) not in names:
                    message = f"uses {name}() of {called}: the files of {folder} know nothing of each other"
                    yield relative, line, message
        rings = file_cycles(pairs)
        in_ring = {pair for pair in pairs for ring in rings if set(pair) <= set(ring)}
        exempt = {(each.caller, each.called) for each in exemptions if each.folder == folder} & in_ring
        exemptions = [each for each in exemptions if each.folder != folder or (each.caller, each.called) not in exempt]
        for ring in file_cycles(set(pairs) - exempt):
            for (caller, called), (relative, line, name) in sorted(pairs.items()):
                if caller in ring and called in ring and (caller, called) not in exempt:
                    yield relative, line, f"a cycle of {', '.join(ring)}: {caller} uses {name}() of {called}"
    for each in exemptions:
        yield TABLE, each.line, f"{each.caller} -> {each.called} is in no cycle of {each.folder}"


def check(root):
    house = House(root)
    findings = [(TABLE, line, message) for line, message in house.table.wrong]
    for part in (check_includes, check_tests, check_files, check_far, check_folder_calls, check_modules):
        findings += part(house)
    for ring in cycles(graph_of(folder_pairs(house))):
        findings.append((ring[0], 1, f"a cycle of folders: {', '.join(ring)}"))
    for relative, line, message in findings:
        yield house.root / relative, line, message


if __name__ == "__main__":
    tree.main(check)
