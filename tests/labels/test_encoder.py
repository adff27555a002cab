"""The label encoder: one vector per text, computed once, in any company, at any number of labels."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.errors import OnomaError
from onoma.labels import encoder as encoder_module
from onoma.labels.encoder import LabelEncoder
from onoma.types import Label
from tiny import byte_bpe, model_config, wordpiece

NAMES = ["city", "person", "ada", "london city", "the enzyme in the city", "x"]


class CountingEngine:
    """Gives each label a vector that depends on its tokens alone, and remembers what it was asked."""

    def __init__(self):
        self.rows = []
        self.cells = []

    def encode_labels(self, token_ids, attention_mask):
        self.rows += [tuple(ids[mask == 1]) for ids, mask in zip(token_ids, attention_mask, strict=True)]
        self.cells.append(token_ids.size)
        assert (token_ids[attention_mask == 0] == 0).all()
        return np.array(
            [[sum(ids[mask == 1]), mask.sum()] for ids, mask in zip(token_ids, attention_mask, strict=True)]
        )


def make(tokenizer=wordpiece):
    engine = CountingEngine()
    return LabelEncoder(engine, tokenizer(), model_config().encoder), engine


@given(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=12))
def test_vectors_come_in_order_whatever_was_asked_before(names):
    labels, _ = make()
    for subset in (names[:2], names[::-1], names):
        expected = [[sum(ids), len(ids)] for ids in wordpiece().encode(subset)]
        assert labels.vectors([Label(name) for name in subset]).tolist() == expected


def test_each_text_is_encoded_once():
    labels, engine = make()
    for _ in range(3):
        labels.vectors([Label(name) for name in NAMES])
    labels.vectors([Label("city", threshold=0.3), Label("london_city")])
    assert len(engine.rows) == len(NAMES)


def test_definitions_are_read_and_kept_apart():
    labels, engine = make()
    labels.vectors([Label("city"), Label("city", "the person"), Label("city", "the enzyme")])
    assert len(set(engine.rows)) == 3


def test_the_cache_forgets_the_least_recently_used():
    labels, engine = make()
    with mock.patch.object(encoder_module, "CACHE_SIZE", 2):
        for name in ("city", "person", "city", "ada"):
            labels.vectors([Label(name)])
        labels.vectors([Label("city")])
        assert len(engine.rows) == 3
        labels.vectors([Label("person")])
        assert len(engine.rows) == 4


def test_more_labels_than_the_cache_holds():
    labels, _ = make()
    with mock.patch.object(encoder_module, "CACHE_SIZE", 3):
        found = labels.vectors([Label(name) for name in NAMES] * 2)
    assert found.tolist() == [[sum(ids), len(ids)] for ids in wordpiece().encode(NAMES * 2)]


def test_ten_thousand_labels_are_encoded_in_batches():
    labels, engine = make()
    found = labels.vectors([Label(f"label {number}") for number in range(10_000)])
    assert found.shape == (10_000, 2)
    assert max(engine.cells) <= encoder_module.BATCH_TOKENS


@pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])
def test_a_label_longer_than_the_encoder_reads_is_refused_and_named(tokenizer):
    labels, engine = make(tokenizer)
    limit = model_config().encoder.max_label_tokens
    too_long = Label("city", "zq " * limit)
    with pytest.raises(OnomaError, match=f"'city: zq zq.*at most {limit}") as caught:
        labels.vectors([Label("person"), too_long])
    assert len(str(caught.value)) < 300
    assert engine.rows == []


def test_the_longest_label_that_fits_is_read():
    labels, engine = make()
    limit = model_config().encoder.max_label_tokens
    labels.vectors([Label("a" + " b" * (limit - 3))])
    assert len(engine.rows[0]) == limit


@pytest.mark.parametrize("name", ["a\ud800", "\u0301a", "a\x00b", "東\u200b京"])
def test_odd_names_are_read(name):
    labels, _ = make()
    assert labels.vectors([Label(name)]).shape == (1, 2)
