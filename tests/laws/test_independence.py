"""Law 3: entities do not depend on company, order, padding or threads. Law 4: labels do not depend on each other."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.config import UnitPolicy
from onoma.model import load
from onoma.types import Overlap
from tiny import byte_bpe, ner, texts, word_texts

LABELS = ["city", "person", "enzyme", "the long city label", "ada"]
MODELS = pytest.mark.parametrize(
    "model",
    [
        pytest.param(lambda: ner(max_tokens=24), id="words"),
        pytest.param(lambda: ner(tokenizer=byte_bpe, lowercase=False, units=UnitPolicy.SUBWORD), id="subwords"),
    ],
)
MANY_TEXTS = st.lists(word_texts(max_words=30) | texts(), min_size=1, max_size=6)
EVERYTHING = {"threshold": 0.0, "overlap": Overlap.MULTI_LABEL}


def scores_by_span(extraction):
    return {(ent.start, ent.end, ent.label): ent.score for ent in extraction}


def assert_same(found, expected, *, within=1e-5):
    """Compare extractions: shared spans must agree, and others may differ only through a tie between overlapping spans.

    A tie that falls the other way may decide, in turn, about the spans that overlap the two: so ties are looked for in
    each group of differing spans that hang together by overlap.
    """
    found, expected = scores_by_span(found), scores_by_span(expected)
    for key in found.keys() & expected.keys():
        assert found[key] == pytest.approx(expected[key], abs=within)
    differing = found.keys() ^ expected.keys()
    while differing:
        group = {differing.pop()}
        while joined := {key for key in differing if any(overlap(key, other) for other in group)}:
            group |= joined
            differing -= joined
        ties = [
            (one, other)
            for one in group & found.keys()
            for other in group & expected.keys()
            if overlap(one, other) and abs(found[one] - expected[other]) <= 2 * within
        ]
        assert ties, f"{sorted(group)} were found in one of two runs only"


def overlap(one, other) -> bool:
    return one[0] < other[1] and other[0] < one[1]


@MODELS
@given(many=MANY_TEXTS, batch_tokens=st.sampled_from([1, 30, 100, 5000]))
def test_the_batch_does_not_matter(model, many, batch_tokens):
    together = list(model().extract_many(many, LABELS, **EVERYTHING, batch_tokens=batch_tokens))
    for text, found in zip(many, together, strict=True):
        alone = model().extract(text, LABELS, **EVERYTHING)
        assert_same(found, alone)
        assert found.report == alone.report


@MODELS
@given(data=st.data(), many=MANY_TEXTS)
def test_the_order_does_not_matter(model, data, many):
    order = data.draw(st.permutations(range(len(many))))
    straight = list(model().extract_many(many, LABELS, **EVERYTHING))
    shuffled = list(model().extract_many([many[place] for place in order], LABELS, **EVERYTHING))
    for place, found in zip(order, shuffled, strict=True):
        assert found.text == many[place]
        assert_same(found, straight[place])


@given(many=MANY_TEXTS, labels=st.lists(st.sampled_from(LABELS), min_size=1, max_size=3, unique=True))
def test_neighbours_with_other_labels_do_not_matter(many, labels):
    model = ner(max_tokens=24)
    sets = list(chain.from_iterable((labels, LABELS) for _ in many))[: len(many)]
    for text, own, found in zip(many, sets, model.extract_many(many, sets, **EVERYTHING), strict=True):
        assert_same(found, model.extract(text, own, **EVERYTHING))


@MODELS
@given(text=word_texts() | texts(), subset=st.sets(st.sampled_from(LABELS), min_size=1))
def test_a_label_does_not_depend_on_the_others(model, text, subset):
    narrow = model()
    spans = scores_by_span(narrow.extract(text, LABELS, **EVERYTHING))
    for label in sorted(subset):
        alone = scores_by_span(narrow.extract(text, [label], **EVERYTHING))
        for key in spans.keys() & alone.keys():
            assert spans[key] == pytest.approx(alone[key], abs=1e-5)


@given(text=word_texts() | texts(), data=st.data())
def test_every_score_of_a_label_is_the_same_in_any_set_and_order(text, data):
    model = ner(max_width=1)  # single units never overlap, so every score is seen
    subset = data.draw(st.permutations(LABELS))[: data.draw(st.integers(1, len(LABELS)))]
    full = scores_by_span(model.extract(text, LABELS, **EVERYTHING))
    found = scores_by_span(model.extract(text, subset, **EVERYTHING))
    assert found.keys() == {key for key in full if key[2] in subset}
    assert all(score == pytest.approx(full[key], abs=1e-5) for key, score in found.items())


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_threads_do_not_matter(engine, tiny_folder):
    import torch

    text = "Ada Lovelace met the city of London in Paris. " * 20
    before = torch.get_num_threads()
    try:
        runs = [load(tiny_folder, engine=engine, threads=n).extract(text, LABELS, threshold=0.3) for n in (1, 2, 4)]
    finally:
        torch.set_num_threads(before)
    assert len(runs[0]) > 0
    for run in runs[1:]:
        assert_same(run, runs[0])


def test_repeating_a_call_gives_the_same_bits():
    text = "Ada Lovelace met the city of London in Paris."
    assert ner().extract(text, LABELS, threshold=0.1) == ner().extract(text, LABELS, threshold=0.1)
