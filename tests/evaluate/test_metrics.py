import random
import time
from math import fsum

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onoma.errors import OnomaError
from onoma.evaluate import metrics
from onoma.evaluate.metrics import Interval, Score, score_documents

ANNOTATION = st.tuples(st.integers(0, 3), st.integers(4, 6), st.sampled_from(["city", "river", "person"]))
DOCUMENTS = st.lists(st.tuples(st.lists(ANNOTATION, max_size=5), st.lists(ANNOTATION, max_size=5)), max_size=6)


def naive_counts(pairs):
    """Count by comparing every annotation with every other, one document at a time."""
    tp = fp = fn = 0
    for gold, predicted in pairs:
        gold_once = [ann for i, ann in enumerate(gold) if ann not in gold[:i]]
        predicted_once = [ann for i, ann in enumerate(predicted) if ann not in predicted[:i]]
        tp += sum(any(ann == other for other in gold_once) for ann in predicted_once)
        fp += sum(all(ann != other for other in gold_once) for ann in predicted_once)
        fn += sum(all(ann != other for other in predicted_once) for ann in gold_once)
    return tp, fp, fn


def naive_ratios(tp, fp, fn):
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return precision, recall, f1


def score(pairs, **options):
    return score_documents([gold for gold, _ in pairs], [predicted for _, predicted in pairs], **options)


def counts(entry):
    return entry.tp, entry.fp, entry.fn


@given(DOCUMENTS)
def test_equals_a_naive_oracle(pairs):
    scores = score(pairs, resamples=0)
    assert scores.documents == len(pairs)
    assert counts(scores.micro) == naive_counts(pairs)
    assert (scores.micro.precision, scores.micro.recall, scores.micro.f1) == pytest.approx(
        naive_ratios(*naive_counts(pairs))
    )
    assert counts(scores.spans) == naive_counts(
        [([ann[:2] for ann in gold], [ann[:2] for ann in predicted]) for gold, predicted in pairs]
    )
    names = sorted({ann[2] for pair in pairs for side in pair for ann in side})
    assert list(scores.labels) == names
    ratios = []
    for name in names:
        expected = naive_counts([tuple([ann for ann in side if ann[2] == name] for side in pair) for pair in pairs])
        assert counts(scores.labels[name]) == expected
        ratios.append(naive_ratios(*expected))
    means = [fsum(column) / len(names) for column in zip(*ratios, strict=True)] if names else [0.0, 0.0, 0.0]
    assert [scores.macro.precision, scores.macro.recall, scores.macro.f1] == pytest.approx(means)


@given(DOCUMENTS, st.randoms(use_true_random=False))
@settings(max_examples=50, deadline=None)
def test_is_the_same_to_the_last_digit_in_any_order(pairs, rng):
    shuffled = [tuple(rng.sample(side, len(side)) for side in pair) for pair in rng.sample(pairs, len(pairs))]
    assert score(pairs, resamples=50) == score(shuffled, resamples=50)


@given(DOCUMENTS)
@settings(max_examples=50, deadline=None)
def test_intervals_lie_within_0_and_1_and_are_ordered(pairs):
    scores = score(pairs, resamples=40)
    for entry in (scores.micro, scores.macro, scores.spans, *scores.labels.values()):
        assert entry.interval is None or 0 <= entry.interval.low <= entry.interval.high <= 1


def test_hand_computed_case():
    gold = [[(0, 5, "city"), (9, 14, "river")], [(0, 3, "person")], []]
    predicted = [[(0, 5, "city"), (9, 14, "city")], [(0, 4, "person")], [(2, 6, "river")]]
    scores = score_documents(gold, predicted)
    assert counts(scores.micro) == (1, 3, 2)
    assert scores.micro.precision == 1 / 4
    assert scores.micro.recall == 1 / 3
    assert scores.micro.f1 == 2 / 7
    assert counts(scores.spans) == (2, 2, 1)
    assert {name: counts(entry) for name, entry in scores.labels.items()} == {
        "city": (1, 1, 0),
        "person": (0, 1, 1),
        "river": (0, 1, 1),
    }
    assert scores.macro.f1 == pytest.approx((2 / 3) / 3)


def test_texts_without_entities_stay_in():
    scores = score_documents([[], []], [[(0, 1, "city")], []])
    assert scores.documents == 2
    assert counts(scores.micro) == (0, 1, 0)


def test_no_documents_and_no_annotations_score_zero():
    for documents in ([], [[]]):
        scores = score_documents(documents, documents)
        assert (scores.micro.f1, scores.macro.f1, scores.spans.f1, dict(scores.labels)) == (0, 0, 0, {})
    assert score_documents([], []).micro.interval is None


def test_repeated_annotations_count_once():
    twice = [(0, 5, "city"), (0, 5, "city")]
    assert counts(score_documents([twice], [twice]).micro) == (1, 0, 0)


def test_intervals_equal_a_plain_bootstrap():
    rng = random.Random(1)
    pairs = [
        ([(i, i + 1, "city") for i in range(rng.randrange(4))], [(i, i + 1, "city") for i in range(rng.randrange(4))])
        for _ in range(30)
    ]
    scores = score(pairs, resamples=200, confidence=0.9, seed=7)
    rows = sorted(naive_counts([pair]) for pair in pairs)
    generator = np.random.default_rng(7)
    f1s = []
    for _ in range(200):
        draw = [rows[i] for i in generator.integers(30, size=30)]
        f1s.append(naive_ratios(*map(sum, zip(*draw, strict=True)))[2])
    low, high = np.percentile(f1s, [5, 95])
    assert (scores.micro.interval.low, scores.micro.interval.high) == pytest.approx((low, high))
    assert scores.labels["city"].interval == scores.micro.interval == scores.macro.interval


def test_a_rare_label_does_not_drag_the_macro_interval_down():
    pairs = [([(0, 1, f"label {i}")], [(0, 1, f"label {i}")]) for i in range(100)]
    scores = score(pairs)
    assert scores.macro.interval == Interval(1.0, 1.0)
    assert scores.labels["label 3"].interval == Interval(1.0, 1.0)


def test_blocks_do_not_change_the_result(monkeypatch):
    pairs = [([(0, 1, f"label {i % 90}")], [(0, 1, f"label {i % 70}")]) for i in range(180)]
    in_blocks = score(pairs, resamples=20)
    assert len(in_blocks.labels) == 90
    assert in_blocks.labels["label 80"].interval == Interval(0.0, 0.0)
    for groups, documents in ((1000, 1000), (7, 11)):
        monkeypatch.setattr(metrics, "_BLOCK_GROUPS", groups)
        monkeypatch.setattr(metrics, "_BLOCK_DOCUMENTS", documents)
        assert score(pairs, resamples=20) == in_blocks


def test_coverage_of_the_interval_is_close_to_nominal():
    rng = np.random.default_rng(0)
    truth, covered = 0.6, 0
    for trial in range(100):
        pairs = [([(0, 1, "city")], [(0, 1, "city" if hit else "river")]) for hit in rng.random(80) < truth]
        interval = score(pairs, resamples=200, seed=trial).micro.interval
        covered += interval.low <= truth <= interval.high
    assert 88 <= covered <= 100


@pytest.mark.parametrize("options", [{"resamples": -1}, {"confidence": 0.0}, {"confidence": 1.0}])
def test_bad_options_are_refused(options):
    with pytest.raises(OnomaError, match="resamples is"):
        score_documents([[]], [[]], **options)


def test_different_lengths_are_refused():
    with pytest.raises(OnomaError, match="2 documents of gold and 1 of predictions"):
        score_documents([[], []], [[]])


def test_ratios_of_empty_counts_are_zero():
    empty = Score(0, 0, 0)
    assert (empty.precision, empty.recall, empty.f1, empty.gold) == (0, 0, 0, 0)


@pytest.mark.slow
def test_ten_thousand_documents_take_less_than_two_seconds():
    rng = random.Random(0)

    def annotations():
        return [(i, i + 1, f"label {rng.randrange(15)}") for i in rng.sample(range(20), 6)]

    gold, predicted = ([annotations() for _ in range(10_000)] for _ in range(2))
    started = time.process_time()
    score_documents(gold, predicted)
    assert time.process_time() - started < 2 * 2  # process time counts both cores
