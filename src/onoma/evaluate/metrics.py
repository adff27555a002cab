"""Strict precision, recall and F1, with bootstrap confidence intervals over documents.

An annotation is `(start, end, label)`; it is found if a prediction has the same characters and the same label (Tjong
Kim Sang and De Meulder, 2003). Gold is never dropped, texts without entities stay in, and an annotation that is given
twice counts once. Where nothing was predicted (or nothing is gold) precision (or recall) is 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from math import fsum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from onoma.errors import OnomaError

Annotation = tuple[int, int, str]
"""Start and end character (half-open), and label."""

_BLOCK_GROUPS = 64
_BLOCK_DOCUMENTS = 4096


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval of an F1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """Counts of annotations found (`tp`), invented (`fp`) and missed (`fn`), and the F1's confidence interval.

    >>> Score(tp=2, fp=1, fn=0).f1
    0.8
    """

    tp: int
    fp: int
    fn: int
    interval: Interval | None = None

    @property
    def gold(self) -> int:
        """Number of gold annotations."""
        return self.tp + self.fn

    @property
    def precision(self) -> float:
        """The share of predictions that are right; 0 without predictions."""
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        """The share of gold that was found; 0 without gold."""
        return self.tp / max(1, self.tp + self.fn)

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 if both are."""
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)


@dataclass(frozen=True, slots=True)
class Macro:
    """Unweighted means over the labels that occur in the gold or in the predictions; 0 if there are none."""

    precision: float
    recall: float
    f1: float
    interval: Interval | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one set of documents.

    Args:
        documents: number of texts, those without entities included.
        micro: over all annotations.
        macro: mean over labels.
        spans: labels ignored; a span that carries several labels counts once.
        labels: per label that occurs in the gold or in the predictions, by name.
    """

    documents: int
    micro: Score
    macro: Macro
    spans: Score
    labels: Mapping[str, Score]


class _Counts(NamedTuple):
    tp: int
    fp: int
    fn: int


class _Row(NamedTuple):
    """What one document contributes; it can be sorted, so that no result depends on the order of the documents."""

    micro: _Counts
    spans: _Counts
    labels: tuple[tuple[str, _Counts], ...]


class _Group(NamedTuple):
    """One reported score: the documents that contribute to it, [n], and what each contributes, [n, 3]."""

    documents: NDArray[np.int64]
    counts: NDArray[np.float64]


def score_documents(
    gold: Sequence[Collection[Annotation]],
    predicted: Sequence[Collection[Annotation]],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Scores:
    """Compare predicted with gold annotations, document by document.

    Intervals are percentiles over resampled documents (Efron, 1979). A label that a resample lacks is left out of that
    resample's macro mean, and the resample out of that label's interval. The result is the same to the last digit for
    every order of documents and annotations.

    Args:
        gold, predicted: annotations of each document, in the same order of documents.
        resamples: number of bootstrap resamples; with 0 every interval is `None`.
        confidence: share of the resamples that an interval covers.
        seed: of the resampling.

    Raises:
        OnomaError: if the two differ in length, or `resamples` or `confidence` is out of range.

        >>> score_documents([[(0, 5, "city")]], [[(0, 5, "city"), (9, 12, "river")]]).micro.precision
        0.5
    """
    if len(gold) != len(predicted):
        raise OnomaError(
            f"there are {len(gold)} documents of gold and {len(predicted)} of predictions; give one of each per text."
        )
    if resamples < 0 or not 0 < confidence < 1:
        raise OnomaError(
            f"resamples is {resamples} and confidence {confidence}; expected resamples >= 0 and 0 < confidence < 1."
        )
    rows = sorted(_row(set(wanted), set(found)) for wanted, found in zip(gold, predicted, strict=True))
    names = sorted({name for row in rows for name, _ in row.labels})
    groups = _groups(rows, names)
    micro, spans, *labels = (_total(group) for group in groups)
    macro = Macro(
        _mean([score.precision for score in labels]),
        _mean([score.recall for score in labels]),
        _mean([score.f1 for score in labels]),
    )
    if rows and resamples:
        weights = _draw(len(rows), resamples, seed)
        samples = np.concatenate(list(_sampled_f1(groups, weights)), axis=1)
        micro, spans, *labels = (
            replace(score, interval=interval)
            for score, interval in zip((micro, spans, *labels), _intervals(samples, confidence), strict=True)
        )
        macro = replace(macro, interval=_intervals(_present_mean(samples[:, 2:]), confidence)[0])
    return Scores(len(rows), micro, macro, spans, dict(zip(names, labels, strict=True)))


def _count(gold: AbstractSet[object], predicted: AbstractSet[object]) -> _Counts:
    found = len(gold & predicted)
    return _Counts(found, len(predicted) - found, len(gold) - found)


def _row(gold: set[Annotation], predicted: set[Annotation]) -> _Row:
    by_label: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for found, column in ((gold & predicted, 0), (predicted - gold, 1), (gold - predicted, 2)):
        for _, _, name in found:
            by_label[name][column] += 1
    return _Row(
        micro=_count(gold, predicted),
        spans=_count({span[:2] for span in gold}, {span[:2] for span in predicted}),
        labels=tuple((name, _Counts(*counts)) for name, counts in sorted(by_label.items())),
    )


def _groups(rows: Sequence[_Row], names: Sequence[str]) -> list[_Group]:
    """Return one group for the micro score, one for the spans, and one per label."""
    cells: dict[str, list[tuple[int, _Counts]]] = {name: [] for name in names}
    for number, row in enumerate(rows):
        for name, counts in row.labels:
            cells[name].append((number, counts))
    micro = [(number, row.micro) for number, row in enumerate(rows)]
    spans = [(number, row.spans) for number, row in enumerate(rows)]
    return [
        _Group(
            np.array([number for number, _ in group], np.int64),
            np.array([counts for _, counts in group], np.float64).reshape(-1, 3),
        )
        for group in (micro, spans, *cells.values())
    ]


def _total(group: _Group) -> Score:
    tp, fp, fn = (int(total) for total in group.counts.sum(axis=0))
    return Score(tp, fp, fn)


def _draw(documents: int, resamples: int, seed: int) -> NDArray[np.uint16]:
    """Return how often each resample drew each document, [documents, resamples]."""
    generator = np.random.default_rng(seed)
    weights = np.empty((resamples, documents), np.uint16)
    for row in weights:
        row[:] = np.bincount(generator.integers(documents, size=documents), minlength=documents)
    return np.ascontiguousarray(weights.T)


def _sampled_f1(groups: Sequence[_Group], weights: NDArray[np.uint16]) -> Iterator[NDArray[np.float64]]:
    """Yield the F1 of each resample, [resamples, groups of a block]; NaN where a group has no annotation at all."""
    for first in range(0, len(groups), _BLOCK_GROUPS):
        block = groups[first : first + _BLOCK_GROUPS]
        documents = np.unique(np.concatenate([group.documents for group in block]))
        table = np.zeros((len(documents), len(block), 3))
        for column, group in enumerate(block):
            table[np.searchsorted(documents, group.documents), column] = group.counts
        sums = np.zeros((weights.shape[1], len(block) * 3))
        for start in range(0, len(documents), _BLOCK_DOCUMENTS):  # sums of whole numbers: exact in any order
            rows = slice(start, start + _BLOCK_DOCUMENTS)
            sums += weights[documents[rows]].T.astype(np.float64) @ table[rows].reshape(-1, len(block) * 3)
        tp, fp, fn = np.moveaxis(sums.reshape(-1, len(block), 3), 2, 0)
        total = 2 * tp + fp + fn
        yield np.divide(2 * tp, total, out=np.full_like(total, np.nan), where=total > 0)


def _present_mean(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over columns that are not NaN, [resamples, 1]; 0 where all are."""
    present = ~np.isnan(samples)
    sums = np.where(present, samples, 0.0).sum(axis=1, keepdims=True)
    return np.asarray(sums / np.maximum(1, present.sum(axis=1, keepdims=True)))


def _intervals(samples: NDArray[np.float64], confidence: float) -> list[Interval | None]:
    """Return the central interval of each column, NaN left out; `None` for a column of NaN."""
    ordered = np.sort(samples, axis=0)  # NaN comes last
    counts = (~np.isnan(samples)).sum(axis=0)
    ends = []
    for share in ((1 - confidence) / 2, (1 + confidence) / 2):
        position = share * np.maximum(0, counts - 1)
        below = np.floor(position).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(0, counts - 1))
        columns = np.arange(samples.shape[1])
        low, high = ordered[below, columns], ordered[above, columns]
        ends.append(low + (high - low) * (position - below))
    return [
        Interval(float(low), float(high)) if count else None for low, high, count in zip(*ends, counts, strict=True)
    ]


def _mean(values: Sequence[float]) -> float:
    return fsum(values) / max(1, len(values))
