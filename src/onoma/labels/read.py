"""Labels as people write them: a comma-separated list, or a file with one label per line."""

from __future__ import annotations

import json
import os
from pathlib import Path

from onoma.errors import OnomaError
from onoma.text.formats import decode_utf8
from onoma.types import Label


def split_labels(names: str) -> list[Label]:
    """Split a comma-separated list of label names.

    Args:
        names: the list; white space around a name is ignored.

    Raises:
        OnomaError: if a name is empty or not UTF-8.

        >>> [label.name for label in split_labels("person, chemical compound")]
        ['person', 'chemical compound']
    """
    if any("\ud800" <= character <= "\udfff" for character in names):
        # Python could not decode the argument in the terminal's locale; it may still be UTF-8.
        names = decode_utf8(os.fsencode(names), name="the list of labels")
    labels = [Label(name.strip()) for name in names.split(",")]
    if not all(label.name for label in labels):
        raise OnomaError(f"the list of labels {names!r} has an empty name; write one comma between two names.")
    return labels


def read_labels(path: str | Path) -> list[Label]:
    """Read labels from a file.

    A `.json` file holds a list of names or an object `{name: definition}`. Any other file holds one label per line,
    optionally followed by a tab and its definition; blank lines and lines that begin with `#` are skipped.

    Args:
        path: the file, UTF-8.

    Raises:
        OnomaError: if the file is not of that form or holds no label.
        OSError: if the file cannot be read.

        >>> read_labels("labels.txt")[0].definition  # doctest: +SKIP
        'A city or town.'
    """
    path = Path(path)
    text = decode_utf8(path.read_bytes(), name=path.name)
    labels = _from_json(text, path.name) if path.suffix == ".json" else _from_lines(text, path.name)
    if not labels:
        raise OnomaError(f"{path.name} holds no label; write at least one.")
    return labels


def _from_lines(text: str, name: str) -> list[Label]:
    labels = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        label, _, definition = line.partition("\t")
        if not label.strip():
            raise OnomaError(f"{name} line {number}: the label before the tab is empty; write name, tab, definition.")
        labels.append(Label(label.strip(), definition.strip()))
    return labels


def _from_json(text: str, name: str) -> list[Label]:
    try:
        # Objects arrive as lists of pairs, so that a name that is given twice is not lost.
        content = json.loads(text, object_pairs_hook=lambda pairs: [Label(*pair) for pair in pairs])
    except (ValueError, RecursionError) as error:
        raise OnomaError(f"{name} is not valid JSON ({error}); correct it.") from None
    labels: list[Label] = []
    for entry in content if isinstance(content, list) else [None]:
        label = entry if isinstance(entry, Label) else Label(entry if isinstance(entry, str) else "")
        if not label.name.strip() or not isinstance(label.definition, str):
            raise OnomaError(
                f'{name} must hold a list of names or an object {{"name": "definition"}}, no name empty; correct it.'
            )
        labels.append(label)
    return labels
