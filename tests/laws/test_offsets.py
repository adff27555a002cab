"""Law 1: offsets are code points of the caller's string. Law 7: what can be pointed at can be predicted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.config import UnitPolicy
from onoma.text.segment import segment
from onoma.types import Overlap
from tiny import bag_ner, byte_bpe, ner, texts, wordpiece

LABELS = ["city", "person"]
MODELS = [
    pytest.param(lambda: ner(), id="words"),
    pytest.param(lambda: ner(tokenizer=byte_bpe, lowercase=False), id="words-of-bytes"),
    pytest.param(lambda: ner(tokenizer=byte_bpe, lowercase=False, units=UnitPolicy.SUBWORD), id="subwords-of-bytes"),
    pytest.param(lambda: ner(units=UnitPolicy.SUBWORD, max_tokens=20), id="subwords"),
]


@pytest.mark.parametrize("model", MODELS)
@given(text=texts(), overlap=st.sampled_from(Overlap), threshold=st.sampled_from([0.0, 0.5]))
def test_entities_are_slices_of_the_text(model, text, overlap, threshold):
    extraction = model().extract(text, LABELS, threshold=threshold, overlap=overlap)
    assert extraction.text == text
    for ent in extraction:
        assert 0 <= ent.start < ent.end <= len(text)
        assert text[ent.start : ent.end] == ent.text
        assert ent.text.strip() == ent.text
        assert ent.label in LABELS
        assert threshold <= ent.score <= 1
        assert type(ent.start) is type(ent.end) is int
        assert type(ent.score) is float


@pytest.mark.parametrize("model", MODELS)
@given(text=texts())
def test_entities_come_in_reading_order(model, text):
    entities = model().extract(text, LABELS, threshold=0.0, overlap=Overlap.NESTED_MULTI_LABEL)
    keys = [(ent.start, ent.end, LABELS.index(ent.label)) for ent in entities]
    assert keys == sorted(set(keys))


@given(text=texts(max_fragments=30))
def test_words_begin_and_end_entities_and_all_are_read(text):
    extraction = ner(max_tokens=24).extract(text, LABELS, threshold=0.0)
    units = segment(text)
    assert extraction.report.units == len(units)
    assert {ent.start for ent in extraction} <= {start for start, _ in units}
    assert {ent.end for ent in extraction} <= {end for _, end in units}


@given(text=texts())
@pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])
def test_each_unit_can_be_an_entity(tokenizer, text):
    found = bag_ner(tokenizer=tokenizer, max_width=1).extract(text, ["city"], threshold=0.0)
    assert [(ent.start, ent.end) for ent in found] == segment(text)


@pytest.mark.parametrize("text", ["東京都に住む", "ภาษาไทย", "私はアダです", "ລາວ"])
def test_each_character_of_an_unspaced_script_can_be_an_entity(text):
    found = bag_ner(max_width=1).extract(text, ["city"], threshold=0.0)
    assert [ent.text for ent in found] == list(text)


@pytest.mark.parametrize("text", ["", "   ", "\n\t\u00a0\u3000", "\x00\x01\x1b", "\u200b\u200d\ufeff"])
def test_a_text_with_nothing_to_see_has_no_entities(text):
    extraction = ner().extract(text, LABELS, threshold=0.0)
    assert list(extraction) == []
    assert (extraction.report.windows, extraction.report.units) == (0, 0)


@pytest.mark.parametrize("text", ["...!?", "—", "🇫🇷", "\ud83d", "\U0010ffff"])
def test_a_text_of_symbols_is_answered(text):
    extraction = ner().extract(text, LABELS, threshold=0.0)
    assert "".join(ent.text for ent in extraction) == text


def test_what_is_unknown_to_the_vocabulary_is_reported():
    unhandled = ner().extract("Ada 🇫🇷 met \ud83d", LABELS).report.unhandled
    assert unhandled == {"units outside the vocabulary, read as unknown": 2}
