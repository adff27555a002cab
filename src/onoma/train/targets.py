"""Examples -> label columns, targets and loss weights.

The loss is masked to what the annotation can vouch for; every rule is one small function below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from onoma.train.examples import Example, GoldSpan
from onoma.train.recipe import Annotation
from onoma.train.relations import TypeRelations
from onoma.types import FloatArray, IntArray

VAGUE_WEIGHT = 0.3
"""Loss weight of positives whose type names no kind of thing, such as `legal term` or `type of wood`."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the scores of a batch should be.

    Args:
        labels: the L label columns.
        target, weight: [B, U, K, L]; span (i, k) covers units i..i+k.
        mention_target, mention_weight: [B, U, K].
        narrower: [P, 5] a row, first unit and width index, the column of the mention's own type and of a broader one.
    """

    labels: tuple[str, ...]
    target: FloatArray
    weight: FloatArray
    mention_target: FloatArray
    mention_weight: FloatArray
    narrower: IntArray


def choose_labels(
    examples: Sequence[Example], *, negatives: int, max_labels: int, rng: np.random.Generator
) -> tuple[str, ...]:
    """Choose up to `max_labels` label columns: positives of the batch, a quarter kept for sampled negatives."""
    positive = sorted({label for example in examples for span in example.gold for label in span.labels})
    sampled: set[str] = set()
    for example in examples:
        present = {label for span in example.gold for label in span.labels}
        pool = example.absent if example.annotation is Annotation.OPEN else sorted(example.asked - present)
        if len(pool):
            sampled.update(rng.choice(np.array(pool, object), min(negatives, len(pool)), replace=False).tolist())
    negative = sorted(sampled - set(positive))
    n_positive = max(max_labels - len(negative), 3 * max_labels // 4)
    chosen = [positive[i] for i in rng.permutation(len(positive))[:n_positive]]
    chosen += [negative[i] for i in rng.permutation(len(negative))[: max_labels - len(chosen)]]
    return tuple(chosen)


def make_targets(
    examples: Sequence[Example],
    labels: tuple[str, ...],
    relations: TypeRelations | None,
    *,
    n_units: int,
    max_width: int,
) -> Targets:
    """Build the dense targets of a batch.

    Args:
        examples: B windows.
        labels: L columns.
        relations: relatedness of open types; needed if an example is openly annotated.
        n_units: U, units of the longest window.
        max_width: widest span of the head; K is its minimum with U.
    """
    n_widths = min(max_width, n_units)
    shape = (len(examples), n_units, n_widths)
    target, weight = np.zeros((*shape, len(labels)), np.float32), np.zeros((*shape, len(labels)), np.float32)
    mention_target, mention_weight = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    column_of = {label: column for column, label in enumerate(labels)}
    narrower: list[tuple[int, ...]] = []
    for row, example in enumerate(examples):
        valid = _valid_spans(len(example.window.starts), n_units, n_widths)
        touching = _touching_gold(example, valid)
        teaches = touching if example.annotation is Annotation.SPANS else valid
        weight[row] = teaches[:, :, None] * _known_columns(example, labels, relations)
        mention_weight[row] = valid if example.annotation is Annotation.OPEN else touching
        _leave_out(example, column_of, weight[row], mention_weight[row], relations, labels)
        for span in example.gold:
            at = (row, span.first, span.last - span.first)
            mention_target[at] = mention_weight[at] = 1.0
            for label in span.labels:
                if label in column_of:
                    target[(*at, column_of[label])] = 1.0
                    weight[(*at, column_of[label])] = VAGUE_WEIGHT if is_vague(label) else 1.0
        narrower += [(row, *pair) for pair in _narrower(example, column_of, relations)]
    pairs = np.array(narrower, np.int64).reshape(-1, 5)
    return Targets(labels, target, weight, mention_target, mention_weight, pairs)


def _narrower(
    example: Example, column_of: dict[str, int], relations: TypeRelations | None
) -> Iterator[tuple[int, int, int, int]]:
    """Yield (first unit, width index, own column, broader column) of each mention whose own type is a column."""
    for span in example.gold:
        own = column_of.get(span.labels[0])
        if own is None:
            continue
        known = relations.broader(span.labels[0]) if relations is not None else frozenset[str]()
        for label in sorted((known | set(span.labels[1:])) - {span.labels[0]}):
            if label in column_of:
                yield span.first, span.last - span.first, own, column_of[label]


def is_vague(label: str) -> bool:
    """Tell whether a type says little about what it covers."""
    return label.startswith("type of ") or label.endswith((" term", " concept"))


def _valid_spans(count: int, n_units: int, n_widths: int) -> np.ndarray:
    """Return [U, K]: does the span end within the window?"""
    ends: np.ndarray = np.arange(n_units)[:, None] + np.arange(n_widths)[None, :] < count
    return ends


def _touching_gold(example: Example, valid: np.ndarray) -> np.ndarray:
    """Return [U, K]: does the span share a unit with a marked one?"""
    touching = np.zeros_like(valid)
    begins = np.arange(valid.shape[0])[:, None]
    ends = begins + np.arange(valid.shape[1])[None, :]
    for span in (*example.gold, *example.too_wide):
        touching |= (begins <= span.last) & (ends >= span.first)
    touching &= valid
    return touching


def _known_columns(example: Example, labels: Sequence[str], relations: TypeRelations | None) -> FloatArray:
    """Return [L]: can the annotation say of this label that an unmarked span does not carry it?"""
    asked = np.array([label in example.asked for label in labels], bool)
    if example.annotation is not Annotation.OPEN or relations is None:
        return asked.astype(np.float32)
    types = sorted({label for span in (*example.gold, *example.too_wide) for label in span.labels})
    unrelated = ~relations.related(types, labels).any(axis=0) if types else np.zeros(len(labels), bool)
    return (asked | unrelated).astype(np.float32)


def _leave_out(
    example: Example,
    column_of: dict[str, int],
    weight: FloatArray,
    mention_weight: FloatArray,
    relations: TypeRelations | None,
    labels: Sequence[str],
) -> None:
    """Zero the weights of spans about which the annotation is silent (`weight` [U, K, L], `mention_weight` [U, K])."""
    for first, last in example.ignored:
        if last - first < weight.shape[1]:
            weight[first, last - first] = 0.0
            mention_weight[first, last - first] = 0.0
    for span in example.too_wide:
        columns = [column_of[label] for label in span.labels if label in column_of]
        for first, width in _inner(span, weight.shape[1]):
            weight[first, width, columns] = 0.0
            mention_weight[first, width] = 0.0
    if example.annotation is not Annotation.OPEN or relations is None:
        return
    close = relations.related([span.labels[0] for span in example.gold], labels)
    for row, span in enumerate(example.gold):
        own = np.isin(np.arange(len(labels)), [column_of[label] for label in span.labels if label in column_of])
        for first, width in _inner(span, weight.shape[1]):
            weight[first, width] *= own
        weight[span.first, span.last - span.first, close[row]] = 0.0


def _inner(span: GoldSpan, n_widths: int) -> list[tuple[int, int]]:
    """Return the (first unit, width index) of the spans strictly inside `span`."""
    length = span.last - span.first
    return [
        (first, last - first)
        for first in range(span.first, span.last + 1)
        for last in range(first, span.last + 1)
        if last - first < min(length, n_widths)
    ]
