"""Overlap resolution against brute force: every mode, small offsets so that ties and clashes are common."""

from __future__ import annotations

import time
from fractions import Fraction
from itertools import combinations
from math import inf
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.decode.overlap import resolve
from onoma.types import Candidates, Overlap

Row = tuple[int, int, int, float]  # start, end, label, score

GREEDY = (Overlap.FLAT, Overlap.NESTED, Overlap.MULTI_LABEL, Overlap.NESTED_MULTI_LABEL)
NESTING = (Overlap.NESTED, Overlap.NESTED_MULTI_LABEL)
MULTI = (Overlap.MULTI_LABEL, Overlap.NESTED_MULTI_LABEL)


def make(rows: list[Row], windows: list[int] | None = None) -> Candidates:
    start, end, label, score = (list(column) for column in zip(*rows, strict=True)) if rows else ([], [], [], [])
    window = np.array(windows or [0] * len(rows), np.int64)
    ints = [np.array(column, np.int64) for column in (start, end, label)]
    return Candidates(window, ints[0], ints[1], ints[2], np.array(score, np.float32))


def unmake(cands: Candidates) -> list[Row]:
    return list(zip(cands.start.tolist(), cands.end.tolist(), cands.label.tolist(), cands.score.tolist(), strict=True))


def rows(max_size: int = 14, scores: int = 8) -> st.SearchStrategy[list[Row]]:
    """Candidates whose scores are eighths, so that sums are exact and ties are frequent."""
    row = st.tuples(
        st.integers(0, 12), st.integers(1, 6), st.integers(0, 2), st.integers(0, scores).map(lambda k: k / scores)
    ).map(lambda r: (r[0], r[0] + r[1], r[2], r[3]))
    return st.lists(row, max_size=max_size)


def overlaps(a: Row, b: Row) -> bool:
    return len(set(range(a[0], a[1])) & set(range(b[0], b[1]))) > 0


def crosses(a: Row, b: Row) -> bool:
    left, right = set(range(a[0], a[1])), set(range(b[0], b[1]))
    return bool(left & right) and not left <= right and not right <= left


def by_priority(row: Row) -> tuple[float, int, int, int]:
    start, end, label, score = row
    return (-score, start, -end, label)


def oracle_greedy(candidates: list[Row], mode: Overlap) -> list[Row]:
    kept: list[Row] = []
    for row in sorted(candidates, key=by_priority):
        same_span = [other for other in kept if other[:2] == row[:2]]
        if same_span:
            if mode in MULTI and all(other[2] != row[2] for other in same_span):
                kept.append(row)
        elif not any(crosses(row, other) if mode in NESTING else overlaps(row, other) for other in kept):
            kept.append(row)
    return sorted(kept)


def oracle_optimal(candidates: list[Row]) -> list[Row]:
    """Try every subset; of the best ones, the first in reading order (to go on comes before to end)."""
    distinct = sorted(set(candidates))
    best: tuple[Fraction, list[tuple[float, ...]], list[Row]] | None = None
    for size in range(len(distinct) + 1):
        for subset in combinations(distinct, size):
            if any(overlaps(a, b) for a, b in combinations(subset, 2)):
                continue
            cost = -sum((Fraction(row[3]) for row in subset), Fraction())
            key = (cost, [*((row[0], -row[1], row[2]) for row in subset), (inf,)], list(subset))
            best = key if best is None or key[:2] < best[:2] else best
    assert best is not None
    return best[2]


@pytest.mark.parametrize("mode", GREEDY)
@given(candidates=rows())
def test_greedy_modes_equal_brute_force(mode: Overlap, candidates: list[Row]) -> None:
    assert unmake(resolve(make(candidates), mode)) == oracle_greedy(candidates, mode)


@given(candidates=rows(max_size=8))
def test_optimal_equals_the_best_of_all_subsets(candidates: list[Row]) -> None:
    assert unmake(resolve(make(candidates), Overlap.OPTIMAL)) == oracle_optimal(candidates)


@given(candidates=rows(max_size=8, scores=997))
def test_optimal_reaches_the_best_sum_of_arbitrary_scores(candidates: list[Row]) -> None:
    exact = unmake(make(candidates))
    got = sum(row[3] for row in unmake(resolve(make(candidates), Overlap.OPTIMAL)))
    assert got == pytest.approx(sum(row[3] for row in oracle_optimal(exact)), abs=1e-9)


@pytest.mark.parametrize("mode", Overlap)
@given(candidates=rows(), random=st.randoms(use_true_random=False))
def test_the_order_of_the_candidates_does_not_matter(mode: Overlap, candidates: list[Row], random: Random) -> None:
    pairs = [(row, window) for window, row in enumerate(candidates)]
    shuffled = list(pairs)
    random.shuffle(shuffled)
    first, second = (
        resolve(make([row for row, _ in order], [window for _, window in order]), mode) for order in (pairs, shuffled)
    )
    assert unmake(first) == unmake(second)
    assert first.window.tolist() == second.window.tolist()


@pytest.mark.parametrize("mode", Overlap)
@given(candidates=rows(max_size=40))
def test_invariants(mode: Overlap, candidates: list[Row]) -> None:
    kept = unmake(resolve(make(candidates), mode))
    assert set(kept) <= set(candidates)
    assert [row[:3] for row in kept] == sorted({row[:3] for row in kept}), "sorted, nothing twice"
    spans = {row[:2] for row in kept}
    if mode not in MULTI:
        assert len(spans) == len(kept), "one label per span"
    clash = crosses if mode in NESTING else overlaps
    assert not any(clash((*a, 0, 0.0), (*b, 0, 0.0)) for a, b in combinations(spans, 2))
    for row in candidates:  # nothing is left out without a reason
        assert row[:2] in spans or any(clash(row, other) for other in kept)
    assert unmake(resolve(make(kept), mode)) == kept, "idempotent"


@given(candidates=rows(max_size=20))
def test_optimal_is_never_worse_than_flat(candidates: list[Row]) -> None:
    optimal, flat = (resolve(make(candidates), mode) for mode in (Overlap.OPTIMAL, Overlap.FLAT))
    assert optimal.score.sum() >= flat.score.sum()


@pytest.mark.parametrize("mode", Overlap)
def test_no_or_one_candidate(mode: Overlap) -> None:
    assert len(resolve(Candidates.concatenate([]), mode)) == 0
    assert unmake(resolve(make([(3, 7, 1, 0.5)]), mode)) == [(3, 7, 1, 0.5)]


def test_the_modes_differ_as_documented() -> None:
    candidates = [(0, 10, 0, 0.75), (0, 5, 1, 0.5), (5, 10, 1, 0.5), (0, 10, 1, 0.625), (8, 12, 0, 0.25)]
    spans = {mode: unmake(resolve(make(candidates), mode)) for mode in Overlap}
    assert spans == {
        Overlap.FLAT: [(0, 10, 0, 0.75)],
        Overlap.OPTIMAL: [(0, 5, 1, 0.5), (5, 10, 1, 0.5)],
        Overlap.NESTED: [(0, 5, 1, 0.5), (0, 10, 0, 0.75), (5, 10, 1, 0.5)],
        Overlap.MULTI_LABEL: [(0, 10, 0, 0.75), (0, 10, 1, 0.625)],
        Overlap.NESTED_MULTI_LABEL: [(0, 5, 1, 0.5), (0, 10, 0, 0.75), (0, 10, 1, 0.625), (5, 10, 1, 0.5)],
    }


@pytest.mark.parametrize("mode", Overlap)
def test_a_repeated_candidate_counts_once_with_its_better_score_and_window(mode: Overlap) -> None:
    kept = resolve(make([(0, 4, 0, 0.5), (0, 4, 0, 0.75), (2, 5, 0, 0.25)], windows=[7, 8, 9]), mode)
    assert (unmake(kept), kept.window.tolist()) == ([(0, 4, 0, 0.75)], [8])


@pytest.mark.parametrize("mode", Overlap)
def test_equal_scores_prefer_the_earlier_then_the_longer_span(mode: Overlap) -> None:
    assert unmake(resolve(make([(3, 8, 0, 0.5), (1, 4, 0, 0.5)]), mode)) == [(1, 4, 0, 0.5)]
    if mode not in NESTING:
        assert unmake(resolve(make([(1, 4, 0, 0.5), (1, 6, 0, 0.5)]), mode)) == [(1, 6, 0, 0.5)]


@pytest.mark.parametrize("mode", Overlap)
def test_offsets_may_be_huge(mode: Overlap) -> None:
    far = 10**12
    assert unmake(resolve(make([(0, 2, 0, 0.5), (far, far + 3, 0, 0.5), (far + 1, far + 4, 0, 0.25)]), mode)) == [
        (0, 2, 0, 0.5),
        (far, far + 3, 0, 0.5),
    ]


@pytest.mark.parametrize("mode", Overlap)
@pytest.mark.parametrize(("length", "longest"), [(2_000_000, 60), (1_000, 100_000)])
def test_a_hundred_thousand_candidates_take_less_than_two_seconds(mode: Overlap, length: int, longest: int) -> None:
    rng, count = np.random.default_rng(0), 100_000
    start = rng.integers(0, length, count)
    cands = Candidates(
        np.zeros(count, np.int64),
        start,
        start + rng.integers(1, longest, count),
        rng.integers(0, 5, count),
        rng.random(count, np.float32),
    )
    began = time.perf_counter()
    resolve(cands, mode)
    assert time.perf_counter() - began < 2
