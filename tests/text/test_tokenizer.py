"""The tokenizer takes any string, gives true offsets, and never cuts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

from onoma.errors import OnomaError
from onoma.text.tokenizer import SubwordTokenizer, encodable
from tiny import byte_bpe, texts, wordpiece

BOTH = pytest.mark.parametrize("tokenizer", [wordpiece, byte_bpe])


@BOTH
@given(text=texts())
def test_offsets_lie_within_the_text_and_never_step_back(tokenizer, text):
    tokens = tokenizer().tokenize(text)
    assert len(tokens.ids) == len(tokens.starts) == len(tokens.ends)
    assert (tokens.starts <= tokens.ends).all()
    assert (np.diff(tokens.starts) >= 0).all()
    assert (np.diff(tokens.ends) >= 0).all()
    assert len(tokens.ids) == 0 or (tokens.starts[0] >= 0 and tokens.ends[-1] <= len(text))


@given(text=texts())
def test_a_byte_level_tokenizer_reads_every_character(text):
    tokens = byte_bpe().tokenize(text)
    covered = {
        position for start, end in zip(tokens.starts, tokens.ends, strict=True) for position in range(start, end)
    }
    assert covered == set(range(len(text)))


@given(text=texts())
def test_lone_surrogates_are_replaced_one_for_one(text):
    replaced = encodable(text)
    assert len(replaced) == len(text)
    replaced.encode("utf-8")
    assert all(new == old or new == "\ufffd" for new, old in zip(replaced, text, strict=True))


def test_special_tokens_are_found():
    assert [len(wordpiece().prefix), len(wordpiece().suffix)] == [1, 1]
    assert (byte_bpe().prefix, byte_bpe().suffix) == ([], [])
    assert (wordpiece().pad_id, wordpiece().unknown_id) == (0, 1)


@BOTH
def test_nothing_is_cut_or_padded(tokenizer, tmp_path):
    inner = tokenizer()._backend
    inner.enable_truncation(8)
    inner.enable_padding(length=8)
    inner.save(str(tmp_path / "tokenizer.json"))
    inner.no_truncation()
    inner.no_padding()
    loaded = SubwordTokenizer.load(tmp_path / "tokenizer.json")
    assert len(loaded.tokenize("a " * 1000).ids) >= 1000
    assert len(loaded.encode(["a"])[0]) == 1 + len(loaded.prefix) + len(loaded.suffix)


@BOTH
@given(text=texts())
def test_labels_are_read_like_text_between_special_tokens(tokenizer, text):
    tokens = tokenizer()
    assert tokens.encode([text, "ada"])[0] == [*tokens.prefix, *tokens.tokenize(text).ids, *tokens.suffix]


@BOTH
def test_saved_and_loaded_is_the_same(tokenizer, tmp_path):
    tokenizer().save(tmp_path / "tokenizer.json")
    loaded = SubwordTokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.vocabulary_size == tokenizer().vocabulary_size
    assert loaded.encode(["Ada met 東京 é"]) == tokenizer().encode(["Ada met 東京 é"])


@pytest.mark.parametrize("content", ["", "{}", '{"version": "1.0"', "\x00\x01"])
def test_a_damaged_file_is_one_sentence(content, tmp_path):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(OnomaError, match=r"tokenizer\.json is not a valid tokenizer"):
        SubwordTokenizer.load(tmp_path / "tokenizer.json")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(OnomaError, match="does not exist"):
        SubwordTokenizer.load(tmp_path / "tokenizer.json")
