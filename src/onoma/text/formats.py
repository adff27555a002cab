"""Documents on disk: reading annotated JSONL, writing extractions as JSONL rows and CoNLL."""

from __future__ import annotations

import codecs
import gzip
import json
import zlib
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from onoma.errors import OnomaError
from onoma.text.segment import segment
from onoma.types import Document, Entity, Extraction, Span

_SUFFIXES = (".jsonl.gz", ".jsonl")


def read_rows(path: str | Path) -> Iterator[dict[str, Any]]:
    """Read the rows of a `.jsonl` or `.jsonl.gz` file, one at a time; blank lines are skipped.

    Args:
        path: the file; a name ending in `.gz` is decompressed.

    Returns:
        JSON objects with at least a string `text`; every other key is as it stands in the file.

    Raises:
        OnomaError: on a row that is no such object, naming file and line.
        OSError: if the file cannot be opened.

        >>> [row["text"] for row in read_rows("examples.jsonl")]  # doctest: +SKIP
        ['Ada Lovelace was born in London.']
    """
    return (row for _, row in _numbered_rows(Path(path)))


def read_documents(path: str | Path) -> Iterator[Document]:
    """Read documents with gold annotations, one JSON object per line.

    A row is `{"text", "entities": [{"start", "end", "label"}], "lang"?, "id"?}`. Offsets count code points
    and ends are exclusive. Entities may list `broader` types, rows may list `absent` types; any other key is ignored.

    Args:
        path: a `.jsonl` or `.jsonl.gz` file.

    Raises:
        OnomaError: on a damaged file, or an offset, label or text that is not valid, naming file and line.
        OSError: if the file cannot be opened.

        >>> next(read_documents("train.jsonl.gz")).spans[0].label  # doctest: +SKIP
        'person'
    """
    path = Path(path)
    for number, row in _numbered_rows(path):
        try:
            yield _to_document(row)
        except OnomaError as error:
            raise OnomaError(f"{path.name} line {number}: {error}") from None


def read_label_definitions(path: str | Path) -> dict[str, str]:
    """Read `NAME.labels.json`, the definitions of the labels in `NAME.jsonl` or `NAME.jsonl.gz`.

    Args:
        path: the data file.

    Returns:
        Label -> definition, in the order of the file; empty if there is no such file.

        >>> read_label_definitions("no such file.jsonl")
        {}
    """
    path = Path(path)
    stem = next((path.name.removesuffix(suffix) for suffix in _SUFFIXES if path.name.endswith(suffix)), path.stem)
    beside = path.with_name(f"{stem}.labels.json")
    if not beside.is_file():
        return {}
    text = decode_utf8(beside.read_bytes(), name=beside.name)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OnomaError(f"{beside.name} is not valid JSON ({error}); correct it.") from None
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise OnomaError(f'{beside.name} must be a JSON object of the form {{"label": "definition"}}; correct it.')
    return content


def to_jsonl_row(extraction: Extraction, *, id: str | int | None = None) -> str:
    r"""Return one line of JSON, without its line break: `{"id"?, "text", "entities"}`.

    Only ASCII is written (other characters as `\u` escapes), so that every text round-trips, lone surrogates included.

    Args:
        extraction: the entities of one text.
        id: the row's identifier; left out if `None`.

        >>> to_jsonl_row(Extraction("Hi", (), Report()), id=7)  # doctest: +SKIP
        '{"id": 7, "text": "Hi", "entities": []}'
    """
    row = {"text": extraction.text, "entities": extraction.to_dicts()}
    return json.dumps(row if id is None else {"id": id, **row})


def to_conll(extraction: Extraction) -> str:
    r"""Return one `token<TAB>tag` line per unit, in the IOB2 scheme (Tjong Kim Sang and Veenstra, 1999).

    Labels are written as they are, spaces included, so columns are to be split at the tab. A unit that an entity begins
    or ends inside of is split there, so that the tags say exactly what the offsets said.

    Args:
        extraction: the entities of one text, none overlapping.

    Raises:
        OnomaError: if entities overlap, or one cannot be written as tagged tokens.

        >>> to_conll(Extraction("in Paris", (Entity(3, 8, "Paris", "city", 0.9),), Report()))  # doctest: +SKIP
        'in\tO\nParis\tB-city\n'
    """
    entities = sorted(extraction.entities, key=lambda entity: (entity.start, entity.end))
    _check_flat(entities)
    cuts = sorted({cut for entity in entities for cut in (entity.start, entity.end)})
    tokens = list(_split(segment(extraction.text), cuts))
    starts = [start for start, _ in tokens]
    tags = ["O"] * len(tokens)
    for entity in entities:
        first, last = bisect_left(starts, entity.start), bisect_left(starts, entity.end)
        if first == last or "\t" in entity.label or len(entity.label.splitlines()) != 1:
            raise OnomaError(
                f"the entity {entity.text!r} ({entity.label!r}) at character {entity.start} cannot be CoNLL: "
                "its text has nothing visible, or its label a tab or line break; write JSON instead."
            )
        tags[first:last] = [f"B-{entity.label}"] + [f"I-{entity.label}"] * (last - first - 1)
    return "".join(f"{extraction.text[start:end]}\t{tag}\n" for (start, end), tag in zip(tokens, tags, strict=True))


def decode_utf8(encoded: bytes, *, name: str) -> str:
    r"""Decode the bytes of a file; a byte order mark at the front is dropped.

    Args:
        encoded: the whole file.
        name: the file, for the error.

    Raises:
        OnomaError: if the bytes are not UTF-8, naming the first one that is not.

        >>> decode_utf8(b"caf\xc3\xa9", name="menu.txt")
        'café'
    """
    body = encoded.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        offset = error.start + len(encoded) - len(body)
        raise OnomaError(
            f"{name} is not UTF-8: byte 0x{encoded[offset]:02x} at offset {offset} is not valid there; "
            "convert the file to UTF-8."
        ) from None


def _numbered_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, row) and check that each row is an object with a text."""
    for number, line in _numbered_lines(path):
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            raise OnomaError(
                f"{path.name} line {number}: byte {error.start + 1} of it is not UTF-8; convert the file to UTF-8."
            ) from None
        except (ValueError, RecursionError) as error:
            raise OnomaError(f"{path.name} line {number}: not JSON ({error}); write one object per line.") from None
        if not isinstance(row, dict):
            raise OnomaError(f"{path.name} line {number}: {_shown(row)}; it must be an object with a text.")
        if not isinstance(row.get("text"), str):
            raise OnomaError(f"{path.name} line {number}: `text` is {_shown(row.get('text'))}; it must be a string.")
        yield number, row


def _numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) of a file that may be compressed, without the blank lines."""
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if not line.isspace():
                    yield number, line
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise OnomaError(
            f"{path.name} is damaged after line {number} ({error}); it must be a complete gzip file, fetch it again."
        ) from None


def _to_document(row: dict[str, Any]) -> Document:
    text, entities = row["text"], row.get("entities")
    if not isinstance(entities, list):
        raise OnomaError(f"`entities` is {_shown(entities)}; it must be a list, empty if the text has none.")
    spans = tuple(_to_span(entity, text, number) for number, entity in enumerate(entities, start=1))
    identifier, lang = row.get("id", ""), row.get("lang", "")
    if type(identifier) not in (str, int) or not isinstance(lang, str):
        raise OnomaError("`id` must be a string or a whole number and `lang` a string; correct them.")
    return Document(text, spans, id=str(identifier), lang=lang, absent=_strings(row, "absent"))


def _to_span(entity: Any, text: str, number: int) -> Span:
    if not isinstance(entity, dict):
        raise OnomaError(f"entity {number} is {_shown(entity)}; it must be an object with start, end and label.")
    start, end, label = entity.get("start"), entity.get("end"), entity.get("label")
    if type(start) is not int or type(end) is not int:
        raise OnomaError(f"entity {number} has start {_shown(start)} and end {_shown(end)}; they must be integers.")
    if not 0 <= start < end:
        raise OnomaError(
            f"entity {number} has start {start} and end {end}; offsets must satisfy 0 <= start < end (end exclusive)."
        )
    if end > len(text):
        raise OnomaError(
            f"entity {number} ends at {end} but the text has {len(text)} characters; "
            "fix the offsets (code points, end exclusive)."
        )
    if not isinstance(label, str) or not label.strip():
        raise OnomaError(f"entity {number} has the label {_shown(label)}; it must be a string that is not empty.")
    return Span(start, end, label, _strings(entity, "broader"))


def _strings(row: dict[str, Any], key: str) -> tuple[str, ...]:
    values = row.get(key)
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
        raise OnomaError(f"`{key}` is {_shown(values)}; it must be a list of strings that are not empty.")
    return tuple(values)


def _shown(value: Any) -> str:
    """Describe a JSON value briefly, as JSON."""
    text = "missing" if value is None else json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _split(units: list[tuple[int, int]], cuts: list[int]) -> Iterator[tuple[int, int]]:
    """Yield `units`, cut at every position of `cuts` (ascending) that lies inside one."""
    position = 0
    for start, end in units:
        while position < len(cuts) and cuts[position] < end:
            if cuts[position] > start:
                yield start, cuts[position]
            start = max(start, cuts[position])
            position += 1
        yield start, end


def _check_flat(entities: Sequence[Entity]) -> None:
    for left, right in pairwise(entities):
        if right.start < left.end:
            raise OnomaError(
                f"the entities {left.text!r} ({left.label}) and {right.text!r} ({right.label}) overlap at character "
                f"{right.start}, but CoNLL has one tag per token; extract with overlap 'flat' or 'optimal'."
            )
