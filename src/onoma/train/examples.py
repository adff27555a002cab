"""Annotated documents -> windows with gold unit spans, and a report of every annotation that cannot be learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class LearningReport:
    """Counts of annotations seen, learnt and not learnable, per corpus."""

    annotations: Counter[str] = field(default_factory=Counter)
    off_boundary: Counter[str] = field(default_factory=Counter)
    too_wide: Counter[str] = field(default_factory=Counter)

    def summary(self) -> list[str]:
        """Return one line per corpus that has annotations which cannot be learnt."""
        return [
            f"{name}: {self.annotations[name]} annotations, {self.off_boundary[name]} off a unit boundary, "
            f"{self.too_wide[name]} wider than the head"
            for name in sorted(self.annotations)
            if self.off_boundary[name] or self.too_wide[name]
        ]


def make_examples(
    document: Document,
    windower: Windower,
    *,
    corpus: str,
    annotation: Annotation,
    asked: frozenset[str],
    max_width: int,
    report: LearningReport,
) -> Iterator[Example]:
    """Yield the examples of a document, one per window.

    Args:
        document: text with gold spans.
        windower: cuts the text.
        corpus: name under which `report` counts.
        annotation: what unmarked spans mean.
        asked: labels annotated in the corpus (for OPEN they are taken from the document instead).
        max_width: widest span in units.
        report: receives what cannot be learnt.
    """
    report.annotations[corpus] += len(document.spans)
    located: set[int] = set()
    wide: set[int] = set()
    if annotation is Annotation.OPEN:
        types = {label for span in document.spans for label in (span.label, *span.broader)}
        asked = frozenset(types | set(document.absent))
    for window in windower.windows(document.text):
        begin_of = {start: unit for unit, start in enumerate(window.starts.tolist())}
        end_of = {end: unit for unit, end in enumerate(window.ends.tolist())}
        gold, too_wide = [], []
        for row, span in enumerate(document.spans):
            first, last = begin_of.get(span.start), end_of.get(span.end)
            if first is None or last is None:
                continue
            located.add(row)
            entry = GoldSpan(first, last, (span.label, *(label for label in span.broader if label != span.label)))
            if last - first >= max_width:
                wide.add(row)
                too_wide.append(entry)
            else:
                gold.append(entry)
        yield Example(
            window,
            tuple(gold),
            tuple(too_wide),
            tuple(_variants(document, window, gold)) if annotation is Annotation.OPEN else (),
            annotation,
            asked,
            document.absent,
        )
    report.too_wide[corpus] += len(wide)
    report.off_boundary[corpus] += len(document.spans) - len(located)


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
