"""F1 at every threshold from one extraction at a low threshold.

Why one extraction is enough when spans are resolved greedily (`Overlap.FLAT`) and one threshold holds for all labels:
greedy resolution visits candidates by descending score (ties in a fixed order) and keeps a candidate unless it overlaps
one kept *before* it. The candidates that reach a threshold `t` are a prefix of that order, so each of them meets the
same kept ones whether or not the rest follows, and all that is kept later lies below `t`. Hence: resolving at a low
threshold and then dropping what scores below `t` gives the same entities as dropping first and then resolving. It does
not hold for `Overlap.OPTIMAL`, whose choices look ahead, nor for thresholds that differ between labels.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from onoma.errors import OnomaError
from onoma.evaluate.metrics import Annotation, Score
from onoma.types import Entity

THRESHOLDS = tuple(step / 100 for step in range(5, 96))
"""0.05, 0.06, ... 0.95."""


@dataclass(frozen=True, slots=True)
class ThresholdScore:
    """The strict micro score at one threshold."""

    threshold: float
    score: Score


def at_least(entities: Iterable[Entity], threshold: float) -> list[Entity]:
    """Return the entities that reach a threshold, compared in float32 like the candidates they were made from.

    >>> at_least([Entity(0, 5, "Paris", "city", 0.4)], 0.5)
    []
    """
    cut = np.float32(threshold)
    return [entity for entity in entities if np.float32(entity.score) >= cut]


def sweep(
    gold: Sequence[Collection[Annotation]],
    predicted: Sequence[Iterable[Entity]],
    *,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[ThresholdScore]:
    """Score predictions at many thresholds in one pass; see the module for when that equals many extractions.

    Args:
        gold: annotations of each document; repeated ones count once.
        predicted: entities of each document, extracted flat at a threshold no higher than the lowest of `thresholds`;
            of entities with the same span and label the best-scored counts.
        thresholds: probabilities to try.

    Returns:
        One score per threshold, in the order given, without confidence intervals.

    Raises:
        OnomaError: if `gold` and `predicted` differ in length.

        >>> sweep([[(0, 5, "city")]], [[Entity(0, 5, "Paris", "city", 0.4)]], thresholds=[0.3, 0.5])[0].score.f1
        1.0
    """
    if len(gold) != len(predicted):
        raise OnomaError(
            f"there are {len(gold)} documents of gold and {len(predicted)} of predictions; give one of each per text."
        )
    right: list[float] = []
    wrong: list[float] = []
    n_gold = 0
    for wanted, entities in zip(map(set, gold), predicted, strict=True):
        n_gold += len(wanted)
        best_scores: dict[Annotation, float] = {}
        for entity in entities:
            key = (entity.start, entity.end, entity.label)
            best_scores[key] = max(entity.score, best_scores.get(key, 0.0))
        for key, score in best_scores.items():
            (right if key in wanted else wrong).append(score)
    cuts = np.asarray(thresholds, np.float32)
    tp, fp = (
        len(scores) - np.searchsorted(np.sort(np.asarray(scores, np.float32)), cuts, side="left")
        for scores in (right, wrong)
    )
    return [
        ThresholdScore(threshold, Score(int(found), int(invented), n_gold - int(found)))
        for threshold, found, invented in zip(thresholds, tp, fp, strict=True)
    ]


def best(scores: Sequence[ThresholdScore]) -> ThresholdScore:
    """Return the score with the highest F1; among equals the lowest threshold, which finds the most gold.

    Raises:
        OnomaError: if there are no scores.

        >>> best([ThresholdScore(0.5, Score(1, 0, 0)), ThresholdScore(0.3, Score(1, 0, 0))]).threshold
        0.3
    """
    if not scores:
        raise OnomaError("no threshold was tried; give at least one.")
    return max(scores, key=lambda entry: (entry.score.f1, -entry.threshold))
