"""The output formats of the command line, produced piece by piece so that a stream of texts needs little memory."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import Enum

from onoma.marks import visible_in_line
from onoma.render import to_ansi, to_html
from onoma.text.formats import to_conll, to_jsonl_row
from onoma.types import Extraction

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Format(Enum):
    """How extractions are written: for people (`pretty`, `html`) or for programs."""

    PRETTY = "pretty"
    JSON = "json"
    JSONL = "jsonl"
    HTML = "html"
    CONLL = "conll"


@dataclass(frozen=True, slots=True)
class Item:
    """An extraction with the identifier of its text, if it has one."""

    extraction: Extraction
    id: str | int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What the `pretty` format may use: colours, and a number of columns (`None`: as many as a line needs)."""

    color: bool = False
    width: int | None = None


def format_items(
    items: Iterable[Item], *, format: Format, labels: Sequence[str] = (), screen: Screen | None = None
) -> Iterator[str]:
    r"""Write extractions in a format.

    Args:
        items: extractions, read one at a time; only `html` keeps all of them, because its legend counts labels.
        format: how they are written.
        labels: label names in the order that fixes their colours.
        screen: for `pretty`.

    Returns:
        Pieces of the output, to be joined without anything between them; texts of any kind can be encoded as UTF-8.

    Raises:
        OnomaError: if an extraction cannot be written in the format (see `to_conll`).

        >>> list(format_items([Item(Extraction("", (), Report()), id=1)], format=Format.JSONL))  # doctest: +SKIP
        ['{"id": 1, "text": "", "entities": []}\n']
    """
    match format:
        case Format.PRETTY:
            yield from _separated(_pretty(items, labels, screen or Screen()))
        case Format.JSON:
            yield from _json_array(items)
        case Format.JSONL:
            yield from (to_jsonl_row(item.extraction, id=item.id) + "\n" for item in items)
        case Format.HTML:
            yield to_html([item.extraction for item in items], labels=labels)
        case Format.CONLL:
            yield from _separated(_LONE_SURROGATE.sub("\ufffd", to_conll(item.extraction)) for item in items)


def to_json(item: Item) -> str:
    """Return one extraction as an indented JSON object with its report; ASCII only, so that every text round-trips."""
    head = {} if item.id is None else {"id": item.id}
    body = {"text": item.extraction.text, "entities": item.extraction.to_dicts()}
    return json.dumps({**head, **body, "report": asdict(item.extraction.report)}, indent=2)


def _json_array(items: Iterable[Item]) -> Iterator[str]:
    before = "[\n"
    for item in items:
        yield before + to_json(item)
        before = ",\n"
    yield "\n]\n" if before != "[\n" else "[]\n"


def _pretty(items: Iterable[Item], labels: Sequence[str], screen: Screen) -> Iterator[str]:
    for item in items:
        heading = "" if item.id is None else f"\u2500\u2500 {visible_in_line(str(item.id))} \u2500\u2500\n"
        yield heading + to_ansi(item.extraction, color=screen.color, width=screen.width, labels=labels)


def _separated(blocks: Iterable[str]) -> Iterator[str]:
    """Put a blank line between blocks."""
    before = ""
    for block in blocks:
        yield before + block
        before = "\n"
