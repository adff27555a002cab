"""Annotated documents -> windows with gold unit spans."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from onoma.text.windows import Windower
from onoma.train.recipe import Annotation
from onoma.types import Document, Window


@dataclass(frozen=True, slots=True)
class GoldSpan:
    """Units `first..last` (inclusive) carry the label texts `labels`; `labels[0]` is the most specific."""

    first: int
    last: int
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A window to learn from.

    Args:
        window: its tokens and units.
        gold: marked spans within the head's width.
        too_wide: marked spans wider than that; nothing inside them is a negative for their labels.
        ignored: unit spans (first, last) left out of the loss: unmarked variants of a marked string.
        annotation: what unmarked spans mean.
        asked: labels that were annotated in the text's corpus, or the passage's own types and absent types if OPEN.
        absent: types known not to occur (OPEN only).
    """

    window: Window
    gold: tuple[GoldSpan, ...]
    too_wide: tuple[GoldSpan, ...]
    ignored: tuple[tuple[int, int], ...]
    annotation: Annotation
    asked: frozenset[str]
    absent: tuple[str, ...] = ()


def make_examples(
    document: Document,
    windower: Windower,
    *,
    annotation: Annotation,
    asked: frozenset[str],
    max_width: int,
) -> Iterator[Example]:
    """Yield the examples of a document, one per window; spans off its unit boundaries are left out.

    Args:
        document: text with gold spans.
        windower: cuts the text.
        annotation: what unmarked spans mean.
        asked: labels annotated in the corpus (for OPEN they are taken from the document instead).
        max_width: widest span in units.
    """
    if annotation is Annotation.OPEN:
        types = {label for span in document.spans for label in (span.label, *span.broader)}
        asked = frozenset(types | set(document.absent))
    for window in windower.windows(document.text):
        begin_of = {start: unit for unit, start in enumerate(window.starts.tolist())}
        end_of = {end: unit for unit, end in enumerate(window.ends.tolist())}
        gold: list[GoldSpan] = []
        too_wide: list[GoldSpan] = []
        for span in document.spans:
            first, last = begin_of.get(span.start), end_of.get(span.end)
            if first is None or last is None:
                continue
            entry = GoldSpan(first, last, (span.label, *(label for label in span.broader if label != span.label)))
            (too_wide if last - first >= max_width else gold).append(entry)
        yield Example(
            window,
            tuple(gold),
            tuple(too_wide),
            tuple(_variants(document, window, gold)) if annotation is Annotation.OPEN else (),
            annotation,
            asked,
            document.absent,
        )


def _variants(document: Document, window: Window, gold: list[GoldSpan]) -> Iterator[tuple[int, int]]:
    """Yield unmarked spans whose words equal a marked span's up to case and plural: often missed by annotators."""
    stems = [_stem(document.text[a:b]) for a, b in zip(window.starts.tolist(), window.ends.tolist(), strict=True)]
    marked = {(span.first, span.last) for span in gold}
    patterns = {tuple(stems[span.first : span.last + 1]) for span in gold}
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for pattern in patterns:
        by_first.setdefault(pattern[0], []).append(pattern)
    for unit, stem in enumerate(stems):
        for pattern in by_first.get(stem, ()):
            last = unit + len(pattern) - 1
            if (unit, last) not in marked and tuple(stems[unit : last + 1]) == pattern:
                yield unit, last


def _stem(word: str) -> str:
    folded = word.casefold()
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") else folded


def hide_case(window: Window, *, lower: int) -> Window:
    """Return the window as if its text were written in lower case (`lower` is that class's id)."""
    cases = np.where(np.isin(window.case_ids, (2, 3, 4)), lower, window.case_ids)
    return Window(
        window.doc, window.starts, window.ends, window.token_ids, cases, window.first, window.last, window.owned
    )
