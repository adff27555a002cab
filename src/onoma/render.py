"""Extractions for the eye: highlighted text and tables, for terminals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from onoma.marks import COLORS, Close, Open, Text, color_numbers, marks, visible_in_line, visible_in_terminal
from onoma.page import to_html
from onoma.types import Entity, Extraction

__all__ = ["to_ansi", "to_html"]

# Pairs of 256-colour codes, black on pastel for the text and white on the same hue, darker, for the label's name.
_PALETTE = (
    (153, 25), (157, 28), (223, 130), (218, 125), (189, 61), (159, 30),
    (229, 94), (216, 124), (194, 64), (225, 90), (152, 23), (187, 58),
)  # fmt: skip
assert len(_PALETTE) == COLORS

_BOLD, _DIM = "1", "2"
_HEADERS = ("start", "end", "text", "label", "score")
_GAP = "  "
_NARROWEST = 12


@dataclass(frozen=True, slots=True)
class _Fragment:
    """A piece of a line: `style` are the parameters of a terminal colour sequence; only `breakable` text is wrapped."""

    text: str
    style: str = ""
    breakable: bool = False


def to_ansi(extraction: Extraction, *, color: bool, width: int | None = None, labels: Sequence[str] = ()) -> str:
    """Render a text with its entities highlighted, above a table of them, for a terminal.

    Args:
        extraction: the entities of one text; they may be nested.
        color: highlight with colours; otherwise entities read `[Paris | city]`.
        width: columns to wrap lines and shorten cells to; `None` leaves everything as long as it is.
        labels: label names in the order that fixes their colours, so that several texts can agree.

    Returns:
        Lines, the last one with its line break. Control and bidirectional characters of the text are made visible.

        >>> print(to_ansi(Extraction("", (), Report()), color=False))  # doctest: +SKIP
        (no entities)
    """
    numbers = color_numbers([*labels, *(entity.label for entity in extraction)])
    fragments = _highlight(extraction, numbers) if color else _bracket(extraction)
    lines = fragments if width is None else _wrap(fragments, max(width, _NARROWEST))
    runs = groupby(lines, key=lambda fragment: fragment.style)
    text = "".join(_paint("".join(fragment.text for fragment in run), style) for style, run in runs)
    return f"{text}\n\n{_table(extraction, numbers if color else None, width)}"


def _highlight(extraction: Extraction, numbers: Mapping[str, int]) -> Iterator[_Fragment]:
    """Colour the text of each entity, and append the label's name to it."""
    around: list[str] = [""]
    for mark in marks(extraction):
        match mark:
            case Open(entity):
                around.append(f"38;5;16;48;5;{_PALETTE[numbers[entity.label]][0]}")
            case Text(text):
                yield _Fragment(visible_in_terminal(text), around[-1], breakable=True)
            case Close(entity, ends):
                around.pop()
                if ends:
                    yield _chip(entity.label, numbers)


def _bracket(extraction: Extraction) -> Iterator[_Fragment]:
    """Put brackets around each entity, with the label's name; several labels of one span share their brackets."""
    around: list[Entity] = []
    for mark in marks(extraction):
        match mark:
            case Open(entity):
                if not _same_span(around, entity):
                    yield _Fragment("[")
                around.append(entity)
            case Text(text):
                yield _Fragment(visible_in_terminal(text), breakable=True)
            case Close(entity, ends):
                around.pop()
                name = f" | {visible_in_line(entity.label)}" if ends else ""
                yield _Fragment(name if _same_span(around, entity) else name + "]")


def _same_span(around: Sequence[Entity], entity: Entity) -> bool:
    return bool(around) and (around[-1].start, around[-1].end) == (entity.start, entity.end)


def _chip(label: str, numbers: Mapping[str, int]) -> _Fragment:
    return _Fragment(f" {visible_in_line(label)} ", f"{_BOLD};38;5;231;48;5;{_PALETTE[numbers[label]][1]}")


def _paint(text: str, style: str) -> str:
    if not style:
        return text
    # A line break inside a background colour would paint the rest of the line on many terminals.
    return "\n".join(f"\x1b[{style}m{line}\x1b[0m" if line else "" for line in text.split("\n"))


def _wrap(fragments: Iterable[_Fragment], width: int) -> Iterator[_Fragment]:
    """Replace the spaces that a line of `width` columns ends on by line breaks; longer words stay whole."""
    column = 0
    spaces: list[_Fragment] = []
    word: list[_Fragment] = []

    def flush() -> Iterator[_Fragment]:
        nonlocal column
        gap, extent = (sum(_columns(part.text) for part in parts) for parts in (spaces, word))
        if column and word and column + gap + extent > width:
            yield _Fragment("\n")
            column = extent
        else:
            yield from spaces
            column += gap + extent
        yield from word
        spaces.clear()
        word.clear()

    for fragment in fragments:
        for piece in re.findall(r"\n| +|[^\n ]+", fragment.text) if fragment.breakable else [fragment.text]:
            if fragment.breakable and piece[0] in " \n":
                if word or piece == "\n":
                    yield from flush()
                if piece == "\n":
                    yield _Fragment("\n")
                    column = 0
                else:
                    spaces.append(_Fragment(piece, fragment.style))
            else:
                word.append(_Fragment(piece, fragment.style))
    yield from flush()


def _table(extraction: Extraction, numbers: Mapping[str, int] | None, width: int | None) -> str:
    """Align one row per entity; `numbers` are the labels' colours, if it is to be coloured."""
    if not extraction.entities:
        return "(no entities)\n"
    rows = [_HEADERS, *(_cells(entity) for entity in extraction)]
    widths = [max(_columns(cell) for cell in column) for column in zip(*rows, strict=True)]
    if width is not None:
        spare = width - sum(widths) - len(_GAP) * (len(widths) - 1)
        for column in (2, 3):
            narrowed = max(min(widths[column], _NARROWEST), widths[column] + min(spare, 0))
            spare += widths[column] - narrowed
            widths[column] = narrowed
    header = _GAP.join(_align(cell, widths, column) for column, cell in enumerate(_HEADERS))
    rule = _GAP.join("\u2500" * extent for extent in widths)
    lines = [header.rstrip(), rule] if numbers is None else [_paint(header, _BOLD), _paint(rule, _DIM)]
    for entity in extraction:
        aligned = [_align(cell, widths, column) for column, cell in enumerate(_cells(entity))]
        if numbers is not None:
            aligned[3] = _paint(aligned[3], _chip(entity.label, numbers).style)
        lines.append(_GAP.join(aligned).rstrip())
    return "\n".join(lines) + "\n"


def _cells(entity: Entity) -> tuple[str, ...]:
    text, label = visible_in_line(entity.text), visible_in_line(entity.label)
    return str(entity.start), str(entity.end), text, label, f"{entity.score:.3f}"


def _align(cell: str, widths: Sequence[int], column: int) -> str:
    """Pad or shorten a cell; numbers (the first two columns and the last) are flush right."""
    if _columns(cell) > widths[column]:
        cell = _shorten(cell, widths[column])
    padding = " " * (widths[column] - _columns(cell))
    return padding + cell if _HEADERS[column] in ("start", "end", "score") else cell + padding


def _shorten(cell: str, width: int) -> str:
    """Cut out the middle of a cell, leaving an ellipsis."""
    head, tail, room = "", "", width - 1
    for left, right in zip(cell, reversed(cell), strict=True):
        if _columns(head + left + tail) > room:
            break
        head += left
        if _columns(head + right + tail) > room:
            break
        tail = right + tail
    return f"{head}\u2026{tail}"


def _columns(text: str) -> int:
    """Count terminal columns: wide East Asian characters take two, combining and format characters none."""
    if text.isascii():
        return len(text)
    return sum(_character_columns(character) for character in text)


def _character_columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
