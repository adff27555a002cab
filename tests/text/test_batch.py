"""Batches: padding that carries no weight, averages that are averages, and a budget that holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.config import TextConfig, UnitPolicy
from onoma.text.batch import CASE_CLASSES, case_class, make_batch, token_budget_batches
from onoma.text.windows import Windower
from tiny import byte_bpe, texts, wordpiece


@given(texts_=st.lists(texts(), min_size=1, max_size=4), policy=st.sampled_from(UnitPolicy), pad=st.integers(0, 9))
@pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])
def test_a_batch_holds_its_windows_and_padding_without_weight(tokenizer, texts_, policy, pad):
    windower = Windower(tokenizer(), TextConfig(units=policy, max_tokens=32, overlap_units=4), max_width=2)
    windows = [win for text in texts_ for win in windower.windows(text)]
    if not windows:
        return
    batch = make_batch(windows, pad_id=pad)
    assert batch.unit_counts.tolist() == [len(win.starts) for win in windows]
    assert batch.pool.shape == (len(windows), batch.unit_counts.max(), batch.token_ids.shape[1])
    for row, win in enumerate(windows):
        length, n_units = len(win.token_ids), len(win.starts)
        assert batch.token_ids[row].tolist() == win.token_ids.tolist() + [pad] * (batch.token_ids.shape[1] - length)
        assert batch.attention_mask[row].sum() == batch.attention_mask[row, :length].sum() == length
        assert batch.case_ids[row, :length].tolist() == win.case_ids.tolist()
        assert not batch.case_ids[row, length:].any()
        assert not batch.pool[row, n_units:].any()
        for unit in range(n_units):
            weights = np.zeros(batch.pool.shape[2])
            weights[win.first[unit] : win.last[unit]] = 1 / (win.last[unit] - win.first[unit])
            np.testing.assert_allclose(batch.pool[row, unit], weights, rtol=1e-6)


@given(lengths=st.lists(st.integers(1, 300), max_size=40), batch_tokens=st.integers(1, 700))
def test_batches_keep_the_budget_and_lose_no_item(lengths, batch_tokens):
    lengths = np.array(lengths, np.int64)
    batches = list(token_budget_batches(lengths, batch_tokens=batch_tokens))
    assert sorted(row for rows in batches for row in rows.tolist()) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * lengths[rows].max() <= batch_tokens for rows in batches)
    longest = [int(lengths[rows].max()) for rows in batches]
    assert longest == sorted(longest, reverse=True)


def test_items_of_equal_length_keep_their_order():
    assert [rows.tolist() for rows in token_budget_batches(np.array([5, 5, 5]), batch_tokens=10)] == [[0, 1], [2]]


@pytest.mark.parametrize(
    ("piece", "expected"),
    [
        ("", 0), ("(", 0), ("東", 0), ("ש", 0), ("cat", 1), ("ß", 1), ("Rome", 2), ("A", 2), ("Élan", 2), ("NASA", 3),
        ("US", 3), ("iPod", 4), ("McCoy", 4), ("C3po", 2), ("eBay2", 4), ("1987", 5), ("\ud83d", 0),
    ],
)  # fmt: skip
def test_case_classes(piece, expected):
    assert case_class(piece) == expected


@given(st.text(st.characters(exclude_categories=())))
def test_every_string_has_a_case_class(piece):
    assert 0 <= case_class(piece) < CASE_CLASSES
