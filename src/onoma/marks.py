"""What all renderings share: entities as opening and closing marks, stable colours, text that is safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from onoma.types import Entity, Extraction

COLORS = 12
"""Number of colours of a palette; labels beyond it use them again, and are told apart by their name."""

_BIDI_FORMATTING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
_BIDI_MARKS = (0x061C, 0x200E, 0x200F)
_PICTURES: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    0x7F: "\u2421",
    **{code: f"<U+{code:04X}>" for code in (*range(0x80, 0xA0), 0x2028, 0x2029, *_BIDI_FORMATTING)},
}
# Layout characters of running text stay; of a single cell or name they do not.
_TEXT = {code: shown for code, shown in _PICTURES.items() if chr(code) not in "\n\t"}
_CELL = _PICTURES | {ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}
_SURROGATES = {code: "\ufffd" for code in range(0xD800, 0xE000)}
_MARKS = {code: f"<U+{code:04X}>" for code in _BIDI_MARKS}
"""Directional marks: they cannot hide or reverse letters, so pages keep them, but terminals show them."""

_TEXT_TABLE, _TERMINAL_TABLE = _TEXT | _SURROGATES, _TEXT | _SURROGATES | _MARKS
_CELL_TABLE = _CELL | _SURROGATES | _MARKS


def visible(text: str) -> str:
    r"""Return running text in which no character can move a cursor or reverse the text after it.

    Control characters become their pictures (escape is `\u241b`), bidirectional formatting its code point, lone
    surrogates the replacement character; line breaks, tabs and directional marks stay.

    Args:
        text: any string.

        >>> visible("\x1b[2J\u202e")
        '␛[2J<U+202E>'
    """
    return text.replace("\r\n", "\n").translate(_TEXT_TABLE)


def visible_in_terminal(text: str) -> str:
    """Like `visible`, but directional marks become their code point too, and tabs four spaces."""
    return text.replace("\r\n", "\n").translate(_TERMINAL_TABLE).replace("\t", "    ")


def visible_in_line(text: str) -> str:
    r"""Like `visible_in_terminal`, but line breaks and tabs become `\n` and `\t`: for cells, labels and messages.

    Args:
        text: any string.

        >>> visible_in_line("a\tb")
        'a\\tb'
    """
    return text.translate(_CELL_TABLE)


def color_numbers(names: Iterable[str]) -> dict[str, int]:
    """Number the distinct names in order of appearance, modulo `COLORS`.

    Args:
        names: label names.

        >>> color_numbers(["person", "city", "person"])
        {'person': 0, 'city': 1}
    """
    return {name: number % COLORS for number, name in enumerate(dict.fromkeys(names))}


@dataclass(frozen=True, slots=True)
class Open:
    """A mark opens: the following text belongs to `entity`."""

    entity: Entity


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of the text, as it stands in the document."""

    text: str


@dataclass(frozen=True, slots=True)
class Close:
    """The innermost mark closes; `ends` is false if the same entity opens again at once, because two entities cross."""

    entity: Entity
    ends: bool


Mark = Open | Text | Close


def marks(extraction: Extraction) -> Iterator[Mark]:
    """Turn the entities of a text into well-nested marks, in reading order.

    Longer entities are opened first; of several labels of one span, the best-scored is the innermost.

    Args:
        extraction: entities that may nest, repeat a span or cross.

        >>> from onoma.types import Report
        >>> [type(mark).__name__ for mark in marks(Extraction("Hi", (), Report()))]
        ['Text']
    """
    waiting = sorted(extraction.entities, key=lambda entity: entity.start, reverse=True)
    cuts = sorted({cut for entity in extraction.entities for cut in (entity.start, entity.end)})
    open_entities: list[Entity] = []
    position = 0
    for cut in cuts:
        if cut > position:
            yield Text(extraction.text[position:cut])
            position = cut
        kept = _unaffected(open_entities, cut)
        for entity in reversed(open_entities[kept:]):
            yield Close(entity, ends=entity.end <= cut)
        opening = [entity for entity in open_entities[kept:] if entity.end > cut]
        while waiting and waiting[-1].start == cut:
            opening.append(waiting.pop())
        opening.sort(key=lambda entity: (-entity.end, entity.score, entity.label))
        yield from map(Open, opening)
        open_entities[kept:] = opening
    if position < len(extraction.text):
        yield Text(extraction.text[position:])


def _unaffected(open_entities: Sequence[Entity], cut: int) -> int:
    """Count the outermost entities that go on at `cut` together with everything around them."""
    return next((depth for depth, entity in enumerate(open_entities) if entity.end <= cut), len(open_entities))
