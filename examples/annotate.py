"""Write a demo text and its gold annotation from one marked-up source.

    python examples/annotate.py examples/island.marked.txt

In the source every name that a label applies to is written `[[name|label]]`. Beside `NAME.marked.txt` this writes
`NAME.txt` (the plain text) and `NAME.gold.json` (a list of `{start, end, text, label}`, offsets in code points, end
exclusive), so that offsets are never counted by hand.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

MARK = re.compile(r"\[\[(?P<name>[^\[\]|]+)\|(?P<label>[^\[\]|]+)\]\]")


def parse(marked: str) -> tuple[str, list[dict[str, str | int]]]:
    """Return the plain text of a marked-up text, and its gold entities in reading order.

    >>> parse("in [[Rome|city]].")
    ('in Rome.', [{'start': 3, 'end': 7, 'text': 'Rome', 'label': 'city'}])
    """
    text, gold, read = "", [], 0
    for mark in MARK.finditer(marked):
        text += marked[read : mark.start()]
        name = mark["name"]
        gold.append({"start": len(text), "end": len(text) + len(name), "text": name, "label": mark["label"]})
        text += name
        read = mark.end()
    return text + marked[read:], gold


def to_json(gold: list[dict[str, str | int]]) -> str:
    """Return the gold file's content: a JSON list with one entity on each line."""
    rows = ",\n".join(f"  {json.dumps(entity, ensure_ascii=False)}" for entity in gold)
    return f"[\n{rows}\n]\n"


def main(path: Path) -> None:
    """Write the text and the gold that belong to the marked-up source `path`."""
    text, gold = parse(path.read_text(encoding="utf-8"))
    stem = path.name.removesuffix(".marked.txt")
    path.with_name(f"{stem}.txt").write_text(text, encoding="utf-8")
    path.with_name(f"{stem}.gold.json").write_text(to_json(gold), encoding="utf-8")
    print(f"{len(text.split())} words, {len(gold)} entities, {len({entity['label'] for entity in gold})} labels")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".marked.txt"):
        raise SystemExit("usage: python examples/annotate.py NAME.marked.txt")
    main(Path(sys.argv[1]))
