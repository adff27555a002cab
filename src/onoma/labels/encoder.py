"""Encodes labels once and remembers their vectors."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from onoma.config import EncoderConfig
from onoma.errors import OnomaError
from onoma.labels.labelset import label_text
from onoma.text.batch import token_budget_batches
from onoma.text.tokenizer import SubwordTokenizer
from onoma.types import FloatArray, IntArray, Label

BATCH_TOKENS = 2048
CACHE_SIZE = 50_000
"""Label vectors that are kept in memory (1.5 kB each at width 384)."""


class LabelEngine(Protocol):
    """The part of an engine that reads labels."""

    def encode_labels(self, token_ids: IntArray, attention_mask: IntArray) -> FloatArray:
        """Encode padded labels [L, T] to unit-length vectors [L, D]."""
        ...


class LabelEncoder:
    """Label texts -> vectors, least recently used ones forgotten beyond `CACHE_SIZE`.

    Args:
        engine: runs the label backbone.
        tokenizer: the label backbone's tokenizer.
        config: template and longest label.
    """

    def __init__(self, engine: LabelEngine, tokenizer: SubwordTokenizer, config: EncoderConfig) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._config = config
        self._cache: OrderedDict[str, FloatArray] = OrderedDict()

    def vectors(self, labels: Sequence[Label]) -> FloatArray:
        """Return the vectors [L, D] of labels; raises `OnomaError` for one that is longer than the encoder reads."""
        texts = [label_text(label, self._config.template) for label in labels]
        missing = [text for text in dict.fromkeys(texts) if text not in self._cache]
        fresh = dict(zip(missing, self._encode(missing), strict=True)) if missing else {}
        found = np.stack([fresh[text] if text in fresh else self._cache[text] for text in texts])
        for text in texts:
            self._cache[text] = fresh[text] if text in fresh else self._cache[text]
            self._cache.move_to_end(text)
        while len(self._cache) > CACHE_SIZE:
            self._cache.popitem(last=False)
        return found

    def _encode(self, texts: Sequence[str]) -> FloatArray:
        ids = self._tokenizer.encode(texts)
        lengths = np.array([len(row) for row in ids])
        longest = int(lengths.argmax())
        if lengths[longest] > self._config.max_label_tokens:
            raise OnomaError(
                f"the label {texts[longest][:60]!r} is {lengths[longest]} sub-tokens long, but the label encoder reads "
                f"at most {self._config.max_label_tokens}; shorten its name or definition."
            )
        vectors: list[tuple[IntArray, FloatArray]] = []
        for rows in token_budget_batches(lengths, batch_tokens=BATCH_TOKENS):
            width = int(lengths[rows].max())
            token_ids = np.full((len(rows), width), self._tokenizer.pad_id, np.int64)
            for line, row in enumerate(rows):
                token_ids[line, : lengths[row]] = ids[row]
            mask = (np.arange(width) < lengths[rows, None]).astype(np.int64)
            vectors.append((rows, self._engine.encode_labels(token_ids, mask)))
        order = np.argsort(np.concatenate([rows for rows, _ in vectors]))
        encoded: FloatArray = np.concatenate([part for _, part in vectors])[order]
        return encoded
