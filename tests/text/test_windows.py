"""Windows: every unit is owned once, every span is seen whole by its owner, whatever the text and the sizes."""

from __future__ import annotations

import unicodedata
from collections import Counter
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from onoma.config import TextConfig, UnitPolicy
from onoma.decode.stitch import to_characters
from onoma.heads.marker import list_spans
from onoma.text import segment as segment_module
from onoma.text import windows as windows_module
from onoma.text.segment import segment
from onoma.text.windows import CROWDED, SHORTENED, UNKNOWN, Windower
from onoma.types import Candidates
from tiny import byte_bpe, texts, word_texts, wordpiece

WORD, SUBWORD = UnitPolicy.WORD, UnitPolicy.SUBWORD
KINDS = pytest.mark.parametrize(
    ("tokenizer", "policy"), [(wordpiece, WORD), (byte_bpe, WORD), (wordpiece, SUBWORD), (byte_bpe, SUBWORD)]
)
SIZES = st.tuples(st.integers(16, 60), st.integers(1, 6), st.integers(0, 9))

UNBROKEN = st.lists(
    st.sampled_from(
        ["東", "京", "1.2", "1,0", "a", "é", "か\u3099", "🇫🇷", "👩\u200d👧", ".", "\x00", "\u200d", "\ud83d"]
    ),
    min_size=10,
    max_size=100,
).map("".join)


def cut(text, tokenizer, policy, sizes=(64, 4, 0), doc=0):
    """Return the windows of a text and what could not be handled; `sizes` are max_tokens, max_width, extra overlap."""
    max_tokens, max_width, extra = sizes
    config = TextConfig(units=policy, max_tokens=max_tokens, overlap_units=2 * max_width + extra)
    unhandled = Counter()
    windower = Windower(tokenizer(), config, max_width=max_width)
    return list(windower.windows(text, doc=doc, unhandled=unhandled)), unhandled


def units_of(text, tokenizer, policy):
    """Return the units as one window sees them that holds the whole text."""
    windows, _ = cut(text, tokenizer, policy, (1_000_000, 4, 0))
    assert len(windows) <= 1
    return [unit for win in windows for unit in zip(win.starts.tolist(), win.ends.tolist(), strict=True)]


def owned_units(windows):
    return [
        (int(win.starts[place]), int(win.ends[place])) for win in windows for place in range(win.owned[0], win.owned[1])
    ]


def all_spans(windows, max_width):
    """Return the characters of every span that some window scores."""
    spans = list_spans(
        np.array([len(win.starts) for win in windows]), np.array([win.owned for win in windows]), max_width
    )
    zeros = np.zeros(len(spans.row), np.int64)
    cands = Candidates(spans.row, spans.first, spans.first + spans.width + 1, zeros, zeros.astype(np.float32))
    found = to_characters(cands, windows)
    return list(zip(found.start.tolist(), found.end.tolist(), strict=True))


@KINDS
@given(text=texts(max_fragments=40), sizes=SIZES)
def test_every_unit_is_owned_once_and_in_order(tokenizer, policy, text, sizes):
    windows, _ = cut(text, tokenizer, policy, sizes)
    assert owned_units(windows) == units_of(text, tokenizer, policy)


@given(text=texts(max_fragments=40))
@pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])
def test_words_are_those_of_segment_whatever_the_tokenizer(tokenizer, text):
    assert units_of(text, tokenizer, WORD) == segment(text)


@pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])
@given(text=texts())
def test_subword_units_cover_all_that_can_be_seen_and_no_white_space_around(tokenizer, text):
    units = units_of(text, tokenizer, SUBWORD)
    covered = {position for start, end in units for position in range(start, end)}
    visible = {
        place
        for place, char in enumerate(text)
        if not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf")
    }
    assert visible <= covered
    assert all(before[1] <= after[0] for before, after in pairwise(units))
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in units)


@KINDS
@given(text=texts(max_fragments=40), sizes=SIZES)
def test_every_span_is_scored_once_by_a_window_that_holds_it_whole(tokenizer, policy, text, sizes):
    windows, unhandled = cut(text, tokenizer, policy, sizes)
    if not windows:
        return
    max_width = sizes[1]
    units = units_of(text, tokenizer, policy)
    wanted = Counter(
        (units[first][0], units[last][1])
        for first in range(len(units))
        for last in range(first, min(first + max_width, len(units)))
    )
    found = Counter(all_spans(windows, max_width))
    assert found <= wanted
    assert found == wanted or unhandled[CROWDED] > 0


@KINDS
@given(text=texts(max_fragments=40), sizes=SIZES)
def test_a_window_is_within_its_budget_and_well_formed(tokenizer, policy, text, sizes):
    prefix, suffix = tokenizer().prefix, tokenizer().suffix
    for win in cut(text, tokenizer, policy, sizes, doc=7)[0]:
        assert win.doc == 7
        assert len(win.token_ids) == len(win.case_ids) <= sizes[0]
        assert win.token_ids[: len(prefix)].tolist() == prefix
        assert win.token_ids[len(win.token_ids) - len(suffix) :].tolist() == suffix
        assert (win.first < win.last).all()
        assert (win.first >= len(prefix)).all()
        assert (win.last <= len(win.token_ids) - len(suffix)).all()
        assert 0 <= win.owned[0] <= win.owned[1] <= len(win.starts)


@pytest.mark.parametrize("policy", [WORD, SUBWORD])
@given(text=texts(max_fragments=40), sizes=SIZES, piece=st.integers(20, 60))
def test_pieces_change_nothing_in_a_text_with_white_space(policy, text, sizes, piece):
    text = "\n ".join(run[begin : begin + 8] for run in text.split() for begin in range(0, len(run), 8))
    whole = cut(text, wordpiece, policy, sizes)
    with mock.patch.object(windows_module, "PIECE_CHARS", piece):
        pieces = cut(text, wordpiece, policy, sizes)
    assert whole[1] == pieces[1]
    assert [win.token_ids.tolist() for win in whole[0]] == [win.token_ids.tolist() for win in pieces[0]]
    assert [win.owned for win in whole[0]] == [win.owned for win in pieces[0]]
    assert owned_units(whole[0]) == owned_units(pieces[0])


@given(text=UNBROKEN, piece=st.integers(24, 40))
def test_pieces_do_not_change_the_words_of_an_unbroken_text(text, piece):
    with (
        mock.patch.object(segment_module, "MAX_UNIT_CHARS", 10),
        mock.patch.object(windows_module, "PIECE_CHARS", piece),
    ):
        units = segment(text)
        assume(all(end - start < 10 for start, end in units))  # a word that is cut anyway may be cut elsewhere
        assert owned_units(cut(text, byte_bpe, WORD)[0]) == units


@pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])
@given(run=st.text("ab1\u0301\u200d.,東", min_size=1, max_size=400), piece=st.integers(20, 50))
def test_an_endless_word_loses_no_character(tokenizer, run, piece):
    with (
        mock.patch.object(segment_module, "MAX_UNIT_CHARS", 7),
        mock.patch.object(windows_module, "PIECE_CHARS", piece),
    ):
        units = owned_units(cut(run, tokenizer, WORD, (16, 2, 0))[0])
    assert all(before[1] <= after[0] for before, after in pairwise(units))
    covered = {position for start, end in units for position in range(start, end)}
    assert {position for position, char in enumerate(run) if char != "\u200d"} <= covered


@given(text=word_texts(max_words=60), sizes=SIZES)
def test_a_word_is_pooled_from_its_own_sub_tokens(text, sizes):
    for win in cut(text, wordpiece, WORD, sizes)[0]:
        for start, end, first, last in zip(win.starts, win.ends, win.first, win.last, strict=True):
            assert win.token_ids[first:last].tolist() == wordpiece().tokenize(text[start:end]).ids.tolist()


@given(text=texts(), sizes=SIZES)
def test_case_is_read_only_where_the_tokenizer_loses_it(text, sizes):
    config = TextConfig(max_tokens=sizes[0], overlap_units=2 * sizes[1], lowercase=False)
    for win in Windower(wordpiece(), config, max_width=sizes[1]).windows(text):
        assert not win.case_ids.any()
    for win in cut("NASA met Ada 7", wordpiece, WORD)[0]:
        assert win.case_ids[1] > win.case_ids[0]


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0", "\x00\x00", "\u200b\ufeff"])
@KINDS
def test_a_text_with_nothing_to_see_has_no_window(tokenizer, policy, text):
    assert [win for win in cut(text, tokenizer, policy)[0] if policy is WORD] == []


def test_unknown_units_are_counted():
    assert cut("Ada 🇫🇷 met \ud83d", wordpiece, WORD)[1] == {UNKNOWN: 2}
    assert cut("Ada 🇫🇷 met \ud83d", byte_bpe, WORD)[1] == {}


def test_a_unit_longer_than_a_window_is_read_in_part_and_counted():
    windows, unhandled = cut("x" * 100 + " Ada", byte_bpe, WORD, (32, 2, 0))
    assert owned_units(windows) == [(0, 100), (101, 104)]
    assert unhandled[SHORTENED] >= 1


def test_a_window_too_narrow_for_the_widest_span_is_counted():
    words = " ".join(["abcdefghijkl"] * 20)
    assert cut(words, wordpiece, WORD, (64, 4, 0))[1][CROWDED] == 0
    assert cut(words, wordpiece, WORD, (32, 4, 0))[1][CROWDED] > 0


def test_a_word_of_100_000_characters():
    windows, unhandled = cut("Ada " + "x" * 100_000 + " met", wordpiece, WORD)
    units = owned_units(windows)
    assert units[0] == (0, 3)
    assert units[-1] == (100_005, 100_008)
    assert sum(end - start for start, end in units) == 100_006
    assert unhandled[UNKNOWN] == len(units) - 2


def test_windows_stream():
    text = "Ada met Paris. " * 20_000
    windower = Windower(wordpiece(), TextConfig(max_tokens=64, overlap_units=8), max_width=4)
    with mock.patch.object(wordpiece(), "tokenize", wraps=wordpiece().tokenize) as tokenize:
        next(windower.windows(text))
    assert tokenize.call_count == 1
