"""Prints what a reviewer wants to know of a tree: folders, cycles, sizes, refused sentences and words.

    python3 -B tests/tidy/report.py [ROOT]

ROOT may be an older tree without folders: its files are then one folder a column, and its includes have no paths."""
import collections
import pathlib
import re
import statistics
import sys

import function_length
import house
import prose
import sentences
import tree
import words

BATCHED = re.compile(r"(?:batch\w*|strategy_batched|pool_batch\w*|lanes|account_queue\w*)\.[ch]")
LONGEST = 5


class Report:
    def __init__(self, root):
        self.root = pathlib.Path(root).resolve()
        self.house = house.House(self.root)
        self.lines = {relative: tree.text_of(self.root / relative).count("\n")
                      for relative in list(self.house.sources) + list(self.house.tests)}
        self.sources = sorted(self.house.sources)

    def folders(self):
        print("Folders                    files  lines  public header")
        members = collections.defaultdict(list)
        for relative in self.sources:
            members[self.house.folder_of(relative)].append(relative)
        order = {folder: place for place, folder in enumerate(self.house.table.order)}
        for folder in sorted(members, key=lambda each: (order.get(each, len(order)), each)):
            header = self.house.table.public_header(folder)
            header = header if header in self.house.sources else "none"
            note = "" if folder in order else "  (not in folders.txt)"
            lines = sum(self.lines[each] for each in members[folder])
            print(f"  {folder:24} {len(members[folder]):5}  {lines:5}  {header}{note}")

    def cycles(self):
        between = house.cycles(house.graph_of(house.folder_pairs(self.house)))
        print(f"\nCycles between folders: {len(between)}")
        for ring in between:
            print(f"  {', '.join(ring)}")
        within = [(folder, ring) for folder, pairs in sorted(house.module_uses(self.house).items())
                  for ring in house.file_cycles(pairs)]
        exempt = len(self.house.table.exemptions)
        print(f"Cycles between the files of a folder: {len(within)} (calls exempted in folders.txt: {exempt})")
        for folder, ring in within:
            print(f"  {folder}: {', '.join(ring)}")

    def sizes(self):
        sizes = sorted(self.lines[each] for each in self.sources if each.endswith(".c"))
        total = sum(self.lines[each] for each in self.sources)
        fit = sum(150 <= each <= 400 for each in sizes)
        print(f"\nC of the programs: {total} lines in {len(self.sources)} files; "
              f"C of the tests: {sum(self.lines.values()) - total} lines in {len(self.house.tests)} files")
        if sizes:
            p90 = sizes[min(len(sizes) - 1, len(sizes) * 9 // 10)]
            print(f".c files of the programs: median {statistics.median(sizes):g}, p90 {p90}, max {sizes[-1]} lines; "
                  f"{fit} of {len(sizes)} have 150 to 400")
        long = [message for _, _, message in function_length.check(self.root)]
        print(f"Functions over {function_length.FUNCTION_MAX} lines, and files over {function_length.FILE_MAX}: {len(long)}")
        batched = [each for each in self.sources if BATCHED.fullmatch(pathlib.Path(each).name)]
        print(f"The strategy batched: {sum(self.lines[each] for each in batched)} lines in {len(batched)} files: "
              f"{', '.join(pathlib.Path(each).name for each in batched)}")

    def prose(self):
        refused = collections.Counter("too wide" if " columns, more" in message else message.split('"')[1].capitalize()
                                      for _, _, message in sentences.check(self.root))
        print(f"\nSentences refused: {sum(refused.values())} ({counted(refused)})")
        found = collections.Counter(re.search(r"\(([\w ]+)\): use|says \"([\w ]+)\"", message).group(1, 2)
                                    for _, _, message in words.check(self.root))
        private = collections.Counter()
        for (in_text, in_name), count in found.items():
            private[in_text or in_name] += count
        print(f"Words refused: {sum(private.values())} ({counted(private)})")

    def comments(self):
        blocks = []
        for path in prose.files(self.root):
            if path.suffix in prose.SLASHES | prose.DASHES | prose.HASHES:
                blocks += [(sum(len(text) + 1 for _, text in block.lines), len(block.lines), path, block.lines[0])
                           for block in prose.comments_of(path, tree.text_of(path))]
        print(f"\nThe {LONGEST} longest comments")
        for letters, lines, path, (line, text) in sorted(blocks, key=lambda each: -each[0])[:LONGEST]:
            print(f"  {path.relative_to(self.root)}:{line}: {lines} lines, {letters} characters: {text[:70]}")


def counted(counter):
    return ", ".join(f"{name} {count}" for name, count in counter.most_common())


def main(root):
    report = Report(root)
    report.folders()
    report.cycles()
    report.sizes()
    report.prose()
    report.comments()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent.parent)
