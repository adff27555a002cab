import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.decode.overlap import resolve
from onoma.errors import OnomaError
from onoma.evaluate.metrics import Score, score_documents
from onoma.evaluate.sweep import THRESHOLDS, ThresholdScore, at_least, best, sweep
from onoma.types import Candidates, Entity, Overlap

LABELS = ("city", "river", "person")
SPAN = st.tuples(st.integers(0, 11), st.integers(1, 5)).map(lambda pair: (pair[0], pair[0] + pair[1]))
SCORE = st.one_of(st.sampled_from([0.05, 0.25, 0.5, 0.75]), st.floats(0.0625, 1.0, width=32))
CANDIDATES = st.lists(st.tuples(SPAN, st.integers(0, 2), SCORE), max_size=12)
GOLD = st.lists(st.tuples(SPAN, st.sampled_from(LABELS)).map(lambda pair: (*pair[0], pair[1])), max_size=6)


def flat(rows, threshold):
    """Decode candidates as at `threshold`: first drop, then resolve."""
    kept = [row for row in rows if np.float32(row[2]) >= np.float32(threshold)]
    start = np.array([span[0] for span, _, _ in kept], np.int64)
    end = np.array([span[1] for span, _, _ in kept], np.int64)
    label = np.array([label for _, label, _ in kept], np.int64)
    score = np.array([score for _, _, score in kept], np.float32)
    cands = resolve(Candidates(np.zeros(len(kept), np.int64), start, end, label, score), Overlap.FLAT)
    columns = zip(*(column.tolist() for column in (cands.start, cands.end, cands.label, cands.score)), strict=True)
    return [Entity(start, end, "", LABELS[label], score) for start, end, label, score in columns]


def annotations(entities):
    return [(ent.start, ent.end, ent.label) for ent in entities]


@given(CANDIDATES, st.one_of(st.sampled_from([0.05, 0.25, 0.5, 0.75]), st.floats(0.05, 1.0)))
def test_resolving_low_then_dropping_equals_dropping_then_resolving(rows, threshold):
    direct, dropped_later = flat(rows, threshold), at_least(flat(rows, 0.05), threshold)
    assert sorted(direct, key=repr) == sorted(dropped_later, key=repr)


@given(st.lists(st.tuples(CANDIDATES, GOLD), max_size=4))
def test_sweep_equals_one_extraction_per_threshold(documents):
    gold = [wanted for _, wanted in documents]
    swept = sweep(gold, [flat(rows, 0.05) for rows, _ in documents])
    assert [entry.threshold for entry in swept] == list(THRESHOLDS)
    for entry in swept[::9]:
        predicted = [annotations(flat(rows, entry.threshold)) for rows, _ in documents]
        assert entry.score == score_documents(gold, predicted, resamples=0).micro


def test_thresholds_that_differ_between_labels_need_their_own_extraction():
    rows = [((0, 4), 0, 0.5), ((2, 6), 1, 0.4)]  # with city >= 0.6 and river >= 0.3, only the river is left
    assert annotations(flat(rows, 0.05)) == [(0, 4, "city")]


def test_hand_computed_case():
    gold = [[(0, 5, "city"), (0, 5, "city"), (9, 12, "river")]]
    predicted = [[Entity(0, 5, "", "city", 0.4), Entity(9, 12, "", "person", 0.6), Entity(0, 5, "", "city", 0.2)]]
    low, middle, high = sweep(gold, predicted, thresholds=[0.3, 0.5, 0.7])
    assert low == ThresholdScore(0.3, Score(1, 1, 1))
    assert middle == ThresholdScore(0.5, Score(0, 1, 2))
    assert high == ThresholdScore(0.7, Score(0, 0, 2))


def test_a_score_at_the_threshold_counts():
    entity = Entity(0, 5, "", "city", float(np.float32(0.7)))  # a little below 0.7 in double precision
    assert sweep([[(0, 5, "city")]], [[entity]], thresholds=[0.7])[0].score.tp == 1
    assert at_least([entity], 0.7) == [entity]


def test_best_takes_the_lowest_of_equals():
    entries = [ThresholdScore(t, Score(tp, 1, 1)) for t, tp in ((0.2, 1), (0.6, 3), (0.4, 3), (0.8, 2))]
    assert best(entries).threshold == 0.4


def test_best_of_nothing_and_different_lengths_are_refused():
    with pytest.raises(OnomaError, match="no threshold was tried"):
        best([])
    with pytest.raises(OnomaError, match="1 documents of gold and 0"):
        sweep([[]], [])
