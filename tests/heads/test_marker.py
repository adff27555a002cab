"""The factored scorer against the formula written out, and against its twin in PyTorch."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from onoma.config import HeadConfig
from onoma.errors import OnomaError
from onoma.heads import marker
from onoma.heads.marker import MarkerScorer, list_spans, sigmoid
from onoma.heads.marker_torch import MarkerHead
from onoma.types import Encoded
from tiny import head_weights

EVERYTHING = -np.inf


def config(max_width=3, mention_floor=0.0):
    return HeadConfig(width=8, inner=5, max_width=max_width, mention_floor=mention_floor)


def encoded(unit_counts, random, head=None, padding=0):
    """Random vectors for windows of the given sizes; what lies beyond a window's units is noise, too."""
    head = head or config()
    shape = (len(unit_counts), max(unit_counts) + padding)
    start, end = (random.normal(0, 1, (*shape, head.inner)).astype(np.float32) for _ in range(2))
    return Encoded(start, end, random.normal(0, 2, (*shape, head.width)).astype(np.float32), np.array(unit_counts))


def unit_vectors(n_labels, random, width=8):
    vectors = random.normal(0, 1, (n_labels, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def written_out(enc, owned, vectors, weights, head):
    """Return (window, start, end, label) -> (logit, mention probability), one span and label at a time, in float64."""
    weights = {name: array.astype(np.float64) for name, array in weights.items()}
    scores = {}
    for row, n_units in enumerate(enc.unit_counts):
        for first in range(*owned[row]):
            for last in range(first, min(first + head.max_width, n_units)):
                hidden = enc.start[row, first].astype(np.float64) + enc.end[row, last] + weights["widths"][last - first]
                hidden = np.maximum(hidden, 0)
                mention = hidden @ weights["mention"] + weights["mention_bias"]
                mean = enc.residual[row, first : last + 1].astype(np.float64).mean(0)
                for label, vector in enumerate(vectors.astype(np.float64)):
                    cosine = mean @ vector / np.linalg.norm(mean) / np.linalg.norm(vector)
                    logit = mention + hidden @ weights["label_map"] @ vector + weights["label_bias"] @ vector
                    logit += np.exp(weights["log_scale"]) * cosine + weights["bias"]
                    scores[row, first, last + 1, label] = float(logit), float(1 / (1 + np.exp(-mention)))
    return scores


def by_key(cands):
    keys = zip(*(column.tolist() for column in (cands.window, cands.start, cands.end, cands.label)), strict=True)
    return dict(zip(keys, cands.score.tolist(), strict=True))


SIZES = st.lists(st.integers(1, 9), min_size=1, max_size=3)


@st.composite
def owned_ranges(draw, unit_counts):
    bounds = [sorted((draw(st.integers(0, count)), draw(st.integers(0, count)))) for count in unit_counts]
    return np.array(bounds, np.int64)


@given(data=st.data(), unit_counts=SIZES, n_labels=st.integers(1, 7), max_width=st.integers(1, 5))
@pytest.mark.parametrize("block", [2, 1024])
def test_the_factored_scores_are_those_of_the_formula(block, data, unit_counts, n_labels, max_width):
    head, seed = config(max_width), data.draw(st.integers(0, 99))
    random = np.random.default_rng(seed)
    enc, vectors = encoded(unit_counts, random, head), unit_vectors(n_labels, random)
    owned, weights = data.draw(owned_ranges(unit_counts)), head_weights(head, seed=seed)
    scorer = MarkerScorer(head, weights)
    with mock.patch.object(marker, "LABEL_BLOCK", block):
        found = scorer.candidates(enc, owned, scorer.project_labels(vectors), np.full(n_labels, EVERYTHING, np.float32))
    expected = written_out(enc, owned, vectors, weights, head)
    assert by_key(found).keys() == expected.keys()
    for key, score in by_key(found).items():
        assert score == pytest.approx(1 / (1 + np.exp(-expected[key][0])), abs=2e-6)
    assert len(found) == len(expected)


@given(unit_counts=SIZES, floor=st.floats(0.01, 0.99), seed=st.integers(0, 99))
def test_the_mention_floor_removes_spans_whatever_the_label(unit_counts, floor, seed):
    head, random = config(mention_floor=floor), np.random.default_rng(seed)
    enc, vectors = encoded(unit_counts, random), unit_vectors(3, random)
    owned = np.array([(0, count) for count in unit_counts])
    weights = head_weights(head, seed=seed)
    scorer = MarkerScorer(head, weights)
    found = by_key(scorer.candidates(enc, owned, scorer.project_labels(vectors), np.full(3, EVERYTHING, np.float32)))
    for key, (logit, mention) in written_out(enc, owned, vectors, weights, head).items():
        if abs(mention - floor) > 1e-5:
            assert (key in found) == (mention > floor)
        if key in found:
            assert found[key] == pytest.approx(1 / (1 + np.exp(-logit)), abs=2e-6)


@given(thresholds=st.lists(st.floats(0.01, 0.99), min_size=4, max_size=4), seed=st.integers(0, 99))
@pytest.mark.parametrize("block", [3, 1024])
def test_each_label_has_its_own_threshold(block, thresholds, seed):
    random = np.random.default_rng(seed)
    enc, vectors = encoded([6, 4], random), unit_vectors(4, random)
    owned = np.array([(0, 6), (1, 3)])
    scorer = MarkerScorer(config(), head_weights(config(), seed=seed))
    labels = scorer.project_labels(vectors)
    everything = by_key(scorer.candidates(enc, owned, labels, np.full(4, EVERYTHING, np.float32)))
    limits = np.log(np.array(thresholds) / (1 - np.array(thresholds))).astype(np.float32)
    with mock.patch.object(marker, "LABEL_BLOCK", block):
        found = by_key(scorer.candidates(enc, owned, labels, limits))
    for key, score in everything.items():
        if abs(score - thresholds[key[3]]) > 1e-5:
            assert (key in found) == (score > thresholds[key[3]])
    assert all(everything[key] == pytest.approx(score, abs=1e-6) for key, score in found.items())


@given(seed=st.integers(0, 99), padding=st.integers(1, 6))
def test_padding_and_neighbours_change_no_score(seed, padding):
    random = np.random.default_rng(seed)
    enc, vectors = encoded([5, 8], random, padding=padding), unit_vectors(3, random)
    scorer = MarkerScorer(config(), head_weights(config()))
    labels, limits = scorer.project_labels(vectors), np.full(3, EVERYTHING, np.float32)
    together = by_key(scorer.candidates(enc, np.array([(0, 5), (0, 8)]), labels, limits))
    alone = Encoded(enc.start[:1, :5], enc.end[:1, :5], enc.residual[:1, :5], enc.unit_counts[:1])
    for key, score in by_key(scorer.candidates(alone, np.array([(0, 5)]), labels, limits)).items():
        assert together[key] == pytest.approx(score, abs=1e-6)


@given(seed=st.integers(0, 20))
@pytest.mark.parametrize("n_units", [1, 2, 7])
def test_the_two_implementations_agree(n_units, seed):
    head, random = config(max_width=4), np.random.default_rng(seed)
    weights = head_weights(head, seed=seed)
    module = MarkerHead(head)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()}, strict=False)
    enc, vectors = encoded([n_units, max(1, n_units - 2)], random, head), unit_vectors(5, random)
    with torch.no_grad():
        logits, mention = module.score(*map(torch.from_numpy, (enc.start, enc.end, enc.residual, vectors)))
    assert logits.shape == (2, n_units, min(4, n_units), 5)
    assert mention.shape == logits.shape[:3]
    scorer = MarkerScorer(head, weights)
    owned = np.array([(0, count) for count in enc.unit_counts])
    found = scorer.candidates(enc, owned, scorer.project_labels(vectors), np.full(5, EVERYTHING, np.float32))
    twin = torch.sigmoid(logits)[found.window, found.start, found.end - found.start - 1, found.label].numpy()
    np.testing.assert_allclose(found.score, twin, atol=2e-6)


def test_long_windows_lose_no_precision():
    head = HeadConfig(width=384, inner=5, max_width=3)
    random = np.random.default_rng(0)
    vectors = unit_vectors(4, random, 384)
    random_states = encoded([250], random, head)
    residual = (random_states.residual / 8 + 2 * vectors[0]).astype(np.float32)  # all near a label: long running sums
    enc = Encoded(random_states.start, random_states.end, residual, random_states.unit_counts)
    weights = head_weights(head) | {"log_scale": np.asarray(np.log(12.0), np.float32)}
    scorer, owned = MarkerScorer(head, weights), np.array([(220, 250)])
    found = scorer.candidates(enc, owned, scorer.project_labels(vectors), np.full(4, EVERYTHING, np.float32))
    expected = written_out(enc, owned, vectors, weights, head)
    for key, score in by_key(found).items():
        assert score == pytest.approx(1 / (1 + np.exp(-expected[key][0])), abs=1e-5)


@given(data=st.data(), unit_counts=SIZES, max_width=st.integers(1, 5))
def test_spans_are_listed_in_order(data, unit_counts, max_width):
    owned = data.draw(owned_ranges(unit_counts))
    spans = list_spans(np.array(unit_counts), owned, max_width)
    expected = [
        (row, first, width)
        for row, (low, high) in enumerate(owned.tolist())
        for first in range(low, high)
        for width in range(min(max_width, unit_counts[row] - first))
    ]
    assert list(zip(spans.row.tolist(), spans.first.tolist(), spans.width.tolist(), strict=True)) == expected


def test_candidates_come_in_order_also_over_label_blocks():
    random = np.random.default_rng(1)
    scorer = MarkerScorer(config(), head_weights(config()))
    labels = scorer.project_labels(unit_vectors(5, random))
    with mock.patch.object(marker, "LABEL_BLOCK", 2):
        found = scorer.candidates(
            encoded([4, 3], random), np.array([(0, 4), (0, 3)]), labels, np.full(5, EVERYTHING, np.float32)
        )
    keys = list(by_key(found))
    assert keys == sorted(keys)


def test_a_span_without_length_is_scored_without_a_warning():
    enc = Encoded(*(np.zeros((1, 3, size), np.float32) for size in (5, 5, 8)), np.array([3]))
    scorer = MarkerScorer(config(), head_weights(config()))
    labels = scorer.project_labels(unit_vectors(2, np.random.default_rng(0)))
    found = scorer.candidates(enc, np.array([(0, 3)]), labels, np.full(2, EVERYTHING, np.float32))
    assert np.isfinite(found.score).all()
    assert len(found) == 12


def test_the_sigmoid_neither_overflows_nor_warns():
    np.testing.assert_allclose(sigmoid(np.float32([-1e9, -90, 0, 90, 1e9])), [0, 0, 0.5, 1, 1], atol=1e-7)


@pytest.mark.parametrize("name", ["widths", "label_map", "label_bias", "mention", "mention_bias", "bias", "log_scale"])
def test_missing_and_misshapen_weights_are_named(name):
    weights = head_weights(config())
    with pytest.raises(OnomaError, match=name):
        MarkerScorer(config(), {key: array for key, array in weights.items() if key != name})
    with pytest.raises(OnomaError, match=name):
        MarkerScorer(config(), weights | {name: np.zeros((3, 3), np.float32)})
