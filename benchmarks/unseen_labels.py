"""Check that the labels of the demo stand in no training file, exactly, after normalisation.

    python benchmarks/unseen_labels.py "$ONOMA_DATA" [LABEL...]

Reads every label name of `DATA_DIR/train` and `DATA_DIR/train_multi`: the labels, broader types and absent types of
each document, the keys of each `*.labels.json` and of `*.definitions.json`. Names are compared after case folding,
with `_` and `-` read as spaces, and outer and repeated spaces removed. Needs nothing but the standard library.
Exits with status 1 if a label was seen in training.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

DEMO_LABELS = Path(__file__).parent.parent / "examples" / "island.labels.txt"
TRAIN_FOLDERS = ("train", "train_multi")


def normalise(name: str) -> str:
    """Return a label name as it is compared: case folded, `_` and `-` as spaces, single spaces.

    >>> normalise(" Chemical_compound ")
    'chemical compound'
    """
    return " ".join(name.casefold().replace("_", " ").replace("-", " ").split())


def names_of_documents(path: Path) -> Iterator[str]:
    """Yield every label name that the documents of a `.jsonl.gz` file carry or declare absent."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield from row.get("absent", ())
            for entity in row["entities"]:
                yield entity["label"]
                yield from entity.get("broader", ())


def names_of_definitions(path: Path) -> Iterator[str]:
    """Yield the label names that a `*.labels.json` or `*.definitions.json` file defines."""
    yield from json.loads(path.read_text(encoding="utf-8"))


def training_labels(folder: Path) -> dict[str, str]:
    """Return normalised label name -> name of the first file that holds it, over all training files below `folder`."""
    seen: dict[str, str] = {}
    for part in TRAIN_FOLDERS:
        paths = sorted((folder / part).glob("*.json*"))
        if not paths:
            raise SystemExit(f'{folder / part} holds no training files; give the data folder, e.g. "$ONOMA_DATA".')
        for path in paths:
            names = names_of_documents(path) if path.name.endswith(".jsonl.gz") else names_of_definitions(path)
            for name in names:
                seen.setdefault(normalise(name), f"{part}/{path.name}")
    return seen


def read_labels(path: Path) -> list[str]:
    """Return the label names of a file with one label per line; a definition after a tab is left out."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.partition("\t")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def report(labels: Iterable[str], seen: dict[str, str]) -> int:
    """Print one line per label and return how many of them were seen in training."""
    found = 0
    for label in labels:
        place = seen.get(normalise(label))
        found += place is not None
        print(f"{'unseen' if place is None else 'SEEN':8}{label}{'' if place is None else f'   ({place})'}")
    return found


def main(arguments: list[str]) -> int:
    """Check the labels given after the data folder, or else those of the demo; returns the exit status."""
    if not arguments:
        raise SystemExit('usage: python benchmarks/unseen_labels.py "$ONOMA_DATA" [LABEL...]')
    labels = arguments[1:] or read_labels(DEMO_LABELS)
    seen = training_labels(Path(arguments[0]))
    found = report(labels, seen)
    print(f"{len(labels) - found} of {len(labels)} labels stand in none of the {len(seen):,} training label names.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
