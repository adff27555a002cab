"""Which of the candidates of a document may stand together: the five modes of `Overlap`.

Every mode first reduces the candidates to distinct spans, each with its best-scored label, and chooses among those;
the multi-label modes then take back the other labels of the chosen spans. Spans compete in the order *score
descending, then smaller start, then longer span*, which is total, so the answer never depends on the order of the
candidates.
"""

from __future__ import annotations

from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from onoma.types import Candidates, FloatArray, IntArray, Overlap


def resolve(cands: Candidates, mode: Overlap) -> Candidates:
    """Return the candidates that `mode` keeps, sorted by start, end and label.

    `FLAT` is greedy in the order above, `NESTED` too but refuses only spans that cross a kept one. `OPTIMAL` maximises
    the sum of scores by weighted interval scheduling; of several best sets it returns the one that comes first in
    reading order: at the first difference, the span that starts earlier, then the longer one. A span with several
    labels stands for its best one (equal scores: the smaller label index, then the smaller window), and the multi-label
    modes keep every label of a kept span. The same span and label twice counts once, with the better score.
    Time grows as N log N, plus for the nested modes the boundaries that lie inside kept spans.

    Args:
        cands: [N] candidates of one document, not empty spans, in any order; all are above their threshold.
        mode: which entities may share characters.

        >>> one, zero = np.array([0, 0]), np.zeros(2, np.int64)
        >>> resolve(Candidates(zero, one, np.array([4, 9]), zero, np.float32([0.9, 0.8])), Overlap.FLAT).end.tolist()
        [4]
    """
    if len(cands) < 2:
        return cands
    cands = cands.take(np.lexsort((cands.window, cands.label, -cands.score, cands.end, cands.start)))
    opens_span = _differs(cands.start, cands.end)
    best = np.flatnonzero(opens_span)
    start, end, score = cands.start[best], cands.end[best], cands.score[best]
    # Mostly nothing overlaps, and then every mode keeps every span.
    disjoint = bool((start[1:] >= end[:-1]).all())
    keep = np.ones(len(best), np.bool_) if disjoint else _choose(start, end, score, mode)
    if mode in (Overlap.MULTI_LABEL, Overlap.NESTED_MULTI_LABEL):
        return _all_labels(cands, opens_span, keep)
    return cands.take(best[keep])


def _choose(start: IntArray, end: IntArray, score: FloatArray, mode: Overlap) -> NDArray[np.bool_]:
    """Choose among distinct spans [S], sorted by start, then end; returns a mask [S]."""
    match mode:
        case Overlap.FLAT | Overlap.MULTI_LABEL:
            return _flat(start, end, score)
        case Overlap.OPTIMAL:
            return _optimal(start, end, score)
        case Overlap.NESTED | Overlap.NESTED_MULTI_LABEL:
            return _nested(start, end, score)
        case _:
            assert_never(mode)


def _flat(start: IntArray, end: IntArray, score: FloatArray) -> NDArray[np.bool_]:
    """Choose spans [S] greedily so that none overlap; returns a mask [S]."""
    keep = np.ones(len(start), np.bool_)
    left, right, n_points = _boundaries(start, end)
    taken = bytearray(n_points)  # one flag per stretch of text between two neighbouring boundaries
    for span in _by_priority(start, end, score):
        first, last = left[span], right[span]
        if taken.find(1, first, last) < 0:
            taken[first:last] = b"\x01" * (last - first)
        else:
            keep[span] = False
    return keep


def _nested(start: IntArray, end: IntArray, score: FloatArray) -> NDArray[np.bool_]:
    """Choose spans [S] greedily so that none cross; returns a mask [S]."""
    keep = np.ones(len(start), np.bool_)
    left, right, n_points = _boundaries(start, end)
    # For each boundary, over the kept spans that have it strictly inside: their first end, which nothing that starts
    # here may pass, and their last start, which nothing that ends here may reach behind.
    end_limit = np.full(n_points, n_points, np.int32)
    start_limit = np.full(n_points, -1, np.int32)
    for span in _by_priority(start, end, score):
        first, last = left[span], right[span]
        if end_limit[first] < last or start_limit[last] > first:
            keep[span] = False
        elif last - first > 1:
            inside = slice(first + 1, last)
            np.minimum(end_limit[inside], last, out=end_limit[inside])
            np.maximum(start_limit[inside], first, out=start_limit[inside])
    return keep


def _optimal(start: IntArray, end: IntArray, score: FloatArray) -> NDArray[np.bool_]:
    """Choose disjoint spans [S] with the largest sum of scores; returns a mask [S]."""
    order = np.lexsort((-end, start))
    follower = np.searchsorted(start[order], end[order]).tolist()
    scores = score[order].tolist()
    # total[i] is the best sum over the spans i, i+1, ... of `order`; ties go to the set that has span i.
    total = [0.0] * (len(scores) + 1)
    take = [False] * len(scores)
    for i in range(len(scores) - 1, -1, -1):
        with_span = scores[i] + total[follower[i]]
        take[i] = with_span >= total[i + 1]
        total[i] = with_span if take[i] else total[i + 1]
    keep = np.zeros(len(scores), np.bool_)
    i = 0
    while i < len(scores):
        keep[order[i]] = take[i]
        i = follower[i] if take[i] else i + 1
    return keep


def _all_labels(cands: Candidates, opens_span: NDArray[np.bool_], keep: NDArray[np.bool_]) -> Candidates:
    """Return every candidate on a kept span, once per label.

    Args:
        cands: [N] sorted by span, then score descending.
        opens_span: [N] whether a candidate is the first on its span.
        keep: [S] the kept spans.
    """
    kept = cands.take(keep[np.cumsum(opens_span) - 1])
    kept = kept.take(np.lexsort((kept.label, kept.end, kept.start)))  # stable: the best score of a label comes first
    return kept.take(_differs(kept.start, kept.end, kept.label))


def _differs(*columns: IntArray) -> NDArray[np.bool_]:
    """Say for each row of equally long columns whether it differs from the row before; the first row does."""
    differs = np.zeros(len(columns[0]), np.bool_)
    differs[0] = True
    for column in columns:
        differs[1:] |= column[1:] != column[:-1]
    return differs


def _by_priority(start: IntArray, end: IntArray, score: FloatArray) -> list[int]:
    """Return the spans [S] in the order in which they are considered by the greedy modes."""
    order: list[int] = np.lexsort((-end, start, -score)).tolist()
    return order


def _boundaries(start: IntArray, end: IntArray) -> tuple[list[int], list[int], int]:
    """Number the distinct character offsets at which spans [S] start or end: starts, ends, how many there are."""
    points = np.unique(np.concatenate((start, end)))
    return np.searchsorted(points, start).tolist(), np.searchsorted(points, end).tolist(), len(points)
