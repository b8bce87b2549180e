"""Who may include whom: docs/architecture.md, "the include law"."""
import re

import tree

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.MULTILINE)

# A folder's files include headers of these folders. "sql" is what sql/ generates.
LAYERS = {
    "server": {"server", "workers", "observability", "sql"},
    "workers": {"workers", "observability", "sql"},
    "observability": {"observability"},
}
GENERATED = {"statements.h": "sql"}

# A library's header, and the only files that may include it.
LIBRARIES = {
    "llhttp.h": [r"server/http_parser[^/]*"],
    "libpq-fe.h": [r"workers/db[^/]*"],
    "jansson.h": [r"server/json_codec[^/]*", r"observability/otlp_json[^/]*"],
    "curl/": [r"observability/otlp[^/]*"],
}

# Files that must not come by such a header even through others.
FAR_FROM = {
    r"workers/gate[^/]*": r"(db|bank|transfer|statement)[^/]*",
    r"observability/[^/]*": r"(http|db|statement)[^/]*",
}


def includes(path):
    text = tree.without_comments(tree.text_of(path))
    for match in INCLUDE.finditer(text):
        yield tree.line_of(text, match.start()), match.group(1) == '"', match.group(2)


def reached(path, headers, seen):
    """Names of all own headers that a file includes, through others too."""
    for _, own, name in includes(path):
        if own and name not in seen:
            seen.add(name)
            if name in headers:
                reached(headers[name], headers, seen)
    return seen


def check_library(name):
    for library, allowed in LIBRARIES.items():
        if name == library or (library.endswith("/") and name.startswith(library)):
            return allowed
    return None


def check_include(relative, own, name, folder_of):
    folder = relative.split("/")[0]
    if own and name.endswith(".c"):
        return f"includes a source file, {name}"
    if own and name not in folder_of:
        return f"includes {name}, which is no header of the tree"
    if own and folder_of[name] not in LAYERS[folder]:
        return f"{folder}/ includes {name} of {folder_of[name]}/"
    allowed = check_library(name)
    if allowed is not None and not any(re.fullmatch(pattern, relative) for pattern in allowed):
        return f"includes {name}, which is for {' and '.join(allowed)} alone"
    mine = re.fullmatch(r"workers/strategy_(.+)\.[ch]", relative)
    other = re.fullmatch(r"strategy_(.+)\.h", name)
    if mine and other and mine.group(1) != other.group(1):
        return f"a strategy includes another one's {name}"
    return None


def check(root):
    paths = list(tree.files(root, tree.SOURCES, {".c", ".h"}))
    headers = {path.name: path for path in paths if path.suffix == ".h"}
    folder_of = {name: path.parent.name for name, path in headers.items()} | GENERATED
    for path in paths:
        relative = str(path.relative_to(root))
        if path.name == "common.h":
            yield path, 1, "a header named common.h has every reason to change"
        for line, own, name in includes(path):
            problem = check_include(relative, own, name, folder_of)
            if problem:
                yield path, line, problem
        for pattern, forbidden in FAR_FROM.items():
            if re.fullmatch(pattern, relative):
                for name in sorted(reached(path, headers, set())):
                    if re.fullmatch(forbidden, name):
                        yield path, 1, f"reaches {name}"


if __name__ == "__main__":
    tree.main(check)
