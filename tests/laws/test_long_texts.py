"""Law 2: nothing is truncated, however long the text; memory does not grow with it."""

from __future__ import annotations

import tracemalloc
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.config import UnitPolicy
from onoma.text import windows as windows_module
from onoma.text.segment import segment
from onoma.text.windows import CROWDED, SHORTENED
from onoma.types import Overlap
from tiny import bag_ner, byte_bpe, ner, texts, word_texts, wordpiece

LABELS = ["city", "person"]
PARAGRAPH = (
    "Ada Lovelace met Charles in London. The city, 東京, has 1,234.5 enzymes! 🇫🇷 naïve café O'Neill شهر\n"
    "Paris-based NASA engineers (C3PO) wrote snake_case in 1999; ภาษาไทย \u200b\ud83d and a tail.\n\n"
)


def keys(extraction):
    return [(ent.start, ent.end, ent.label) for ent in extraction]


@pytest.mark.parametrize(
    ("tokenizer", "units"),
    [(wordpiece, UnitPolicy.WORD), (byte_bpe, UnitPolicy.WORD), (byte_bpe, UnitPolicy.SUBWORD)],
)
@given(text=texts(max_fragments=60), max_tokens=st.integers(24, 70), overlap=st.sampled_from(Overlap))
def test_without_context_windows_change_nothing(tokenizer, units, text, max_tokens, overlap):
    options = {"tokenizer": tokenizer, "units": units, "max_width": 2}
    whole = bag_ner(max_tokens=100_000, **options).extract(text, LABELS, threshold=0.6, overlap=overlap)
    windowed = bag_ner(max_tokens=max_tokens, **options).extract(text, LABELS, threshold=0.6, overlap=overlap)
    assert whole.report.windows <= 1
    assert windowed.report.units == whole.report.units
    if windowed.report.unhandled.keys().isdisjoint({CROWDED, SHORTENED}):
        found = {(ent.start, ent.end, ent.label): ent.score for ent in windowed}
        assert found == pytest.approx({(ent.start, ent.end, ent.label): ent.score for ent in whole}, abs=1e-5)


@given(text=word_texts(max_words=50))
def test_a_text_that_fits_is_read_in_one_window(text):
    assert len(wordpiece().tokenize(text).ids) <= 254
    assert ner(max_tokens=256).extract(text, LABELS).report.windows == (1 if text else 0)


@given(text=word_texts(max_words=120), piece=st.integers(40, 80))
def test_pieces_change_no_score(text, piece):
    whole = ner(max_tokens=24).extract(text, LABELS, threshold=0.0)
    with mock.patch.object(windows_module, "PIECE_CHARS", piece):
        pieces = ner(max_tokens=24).extract(text, LABELS, threshold=0.0)
    assert pieces == whole


def test_repetition_is_found_everywhere():
    text = "Ada met Paris. " * 3000
    model = bag_ner(max_tokens=32)
    once = keys(model.extract("Ada met Paris. ", LABELS, threshold=0.5))
    assert once
    found = keys(model.extract(text, LABELS, threshold=0.5))
    inside = [key for key in found if text[key[0] : key[1]] in {text[start:end] for start, end, _ in once}]
    assert len(inside) >= 3000 * len(once) - 2 * len(once)


def test_offsets_are_right_to_the_end_of_a_long_text():
    text = PARAGRAPH * 400
    extraction = ner(max_tokens=64).extract(text, LABELS, threshold=0.5)
    assert extraction.report.units == len(segment(text))
    assert all(text[ent.start : ent.end] == ent.text for ent in extraction)
    assert extraction[-1].end > 0.99 * len(text)


@pytest.mark.parametrize("text", ["x" * 100_000, "東" * 20_000, "🇫🇷" * 9_000, "\x00" * 50_000 + "Ada"])
def test_a_long_text_without_white_space(text):
    extraction = bag_ner(max_tokens=64).extract(text, LABELS, threshold=0.0)
    assert extraction.report.units == len(segment(text))
    assert all(text[ent.start : ent.end] == ent.text for ent in extraction)


@pytest.mark.slow
def test_a_document_of_a_megabyte_needs_bounded_memory():
    model = ner(max_tokens=256, max_width=8)
    labels = model.encode_labels(LABELS)
    # Random models find names everywhere: take a threshold that few spans of a paragraph reach.
    threshold = sorted(ent.score for ent in model.extract(PARAGRAPH, labels, threshold=0.0))[-3]

    def peak(text):
        tracemalloc.start()
        extraction = model.extract(text, labels, threshold=threshold)
        _, size = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert extraction.report.units == len(segment(text))
        assert all(text[ent.start : ent.end] == ent.text for ent in extraction)
        return size, len(extraction)

    repeats = 1_000_000 // len(PARAGRAPH.encode("utf-8", "surrogatepass"))
    quarter, _ = peak(PARAGRAPH * (repeats // 4))
    whole, n_entities = peak(PARAGRAPH * repeats)
    assert n_entities > repeats / 10
    assert whole < 60e6
    assert whole - quarter < 2000 * n_entities  # what grows is the answer itself
