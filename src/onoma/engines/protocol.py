"""What an engine does: run the encoders and the learnt projections."""

from __future__ import annotations

from typing import Protocol

from onoma.labels.encoder import LabelEngine
from onoma.types import Encoded, TokenBatch


class Engine(LabelEngine, Protocol):
    """Executes a model; two engines of one model agree (fp32: probabilities within 1e-4)."""

    def encode(self, batch: TokenBatch) -> Encoded:
        """Encode padded windows."""
        ...
