"""What an engine does: run the encoders and the learnt projections."""

from __future__ import annotations

from typing import Protocol

from onoma.types import Encoded, FloatArray, IntArray, TokenBatch


class Engine(Protocol):
    """Executes a model; two engines of one model agree (fp32: probabilities within 1e-4)."""

    def encode(self, batch: TokenBatch) -> Encoded:
        """Encode padded windows."""
        ...

    def encode_labels(self, token_ids: IntArray, attention_mask: IntArray) -> FloatArray:
        """Encode padded labels [L, T] to unit-length vectors [L, D]."""
        ...
