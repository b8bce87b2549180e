"""Comments and documentation are plain sentences: none opens with a relative clause, no comment is too wide.

A question may open with What or Who. Headings, and cells of tables in lower case, are no sentences. A sentence that
opens with "Of course" is refused as well. words.py refuses "told", in prose as in names."""
import re

import prose
import tree

WIDTH = 120
OPENER = re.compile(r"[\s\"'(*_`>\[-]*(Whoever|Whose|Who|Whatever|What|Those|Of)\b(?!\s*[=(])", re.IGNORECASE)
STOP = re.compile(r"[.!?][)\"'`*_]*\s+|\n[ \t]*\n\s*|\n[ \t]*(?:[-*]|\d+\.)[ \t]+")
END = re.compile(r"[.!?](?=[)\"'`*_]*(?:\s|$))")


def openings(block):
    """(line, word, sentence) of each sentence that opens with one of the words."""
    text = "\n".join(line for _, line in block.lines)
    stops = [(0, block.is_sentence)]
    stops += [(match.end(), match.group(0)[0] == "\n") for match in STOP.finditer(text)]
    for start, in_lower_case in stops:
        match = OPENER.match(text, start)
        if match and (in_lower_case or match.group(1)[0].isupper()):
            end = END.search(text, match.end())
            sentence = text[match.start(1):end.end() if end else len(text)]
            is_one_word = len(sentence.split()) < 2
            if not is_one_word and not (sentence.endswith("?") and match.group(1).lower().startswith("wh")):
                index = min(text.count("\n", 0, match.start(1)), len(block.lines) - 1)
                yield block.lines[index][0], match.group(1), " ".join(sentence.split())


def check(root):
    for path in prose.files(root):
        text = tree.text_of(path)
        raw = text.split("\n")
        blocks = prose.blocks_of(path, text)
        findings = [(line, f'opens with "{word}": {sentence[:90]}')
                    for block in blocks for line, word, sentence in openings(block)]
        if path.suffix not in (".md", ".json"):
            numbers = {number for block in prose.comments_of(path, text) for number, _ in block.lines}
            findings += [(number, f"{len(raw[number - 1])} columns, more than {WIDTH}") for number in numbers
                         if len(raw[number - 1]) > WIDTH and "://" not in raw[number - 1]]
        for line, message in sorted(findings):
            yield path, line, message


if __name__ == "__main__":
    tree.main(check)
