"""The dual encoder: one backbone reads text, a second one reads each label alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from onoma.config import EncoderConfig, Pooling
from onoma.encode.backbone import Backbone
from onoma.errors import OnomaError


class DualEncoder(nn.Module):
    """Text -> unit vectors, labels -> label vectors of the same width.

    Since a label is read without text and without the other labels, its vector can be computed once and kept, and its
    score does not depend on what else is asked for (paper: GLiNER bi-encoder, arXiv 2602.18487).

    Args:
        text, labels: backbones of equal width.
        pooling: how the label states become one vector.
        share_word_embeddings: make the label backbone read the text backbone's word-embedding table.
    """

    def __init__(self, text: Backbone, labels: Backbone, *, pooling: Pooling, share_word_embeddings: bool) -> None:
        super().__init__()
        if text.width != labels.width:
            raise OnomaError(
                f"the text backbone has width {text.width}, the label backbone {labels.width}; use two of equal width."
            )
        self.text, self.labels = text, labels
        self._pooling = pooling
        if share_word_embeddings:
            self.labels.use_word_embeddings(self.text.word_embeddings)

    @staticmethod
    def from_config(config: EncoderConfig) -> DualEncoder:
        """Build a dual encoder with random weights."""
        return DualEncoder(
            Backbone.from_config(config.text_backbone),
            Backbone.from_config(config.label_backbone),
            pooling=config.label_pooling,
            share_word_embeddings=config.share_word_embeddings,
        )

    def encode_text(self, token_ids: Tensor, attention_mask: Tensor, case_ids: Tensor, pool: Tensor) -> Tensor:
        """Encode windows and average the states of each unit's sub-tokens.

        Args:
            token_ids, attention_mask, case_ids: [B, T].
            pool: [B, U, T] averaging weights.

        Returns:
            [B, U, D]
        """
        states = self.text(token_ids, attention_mask, case_ids)
        units: Tensor = pool.to(states.dtype) @ states
        return units

    def encode_labels(self, token_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode labels to unit-length vectors.

        Args:
            token_ids, attention_mask: [L, T].

        Returns:
            [L, D]
        """
        states = self.labels(token_ids, attention_mask)
        match self._pooling:
            case Pooling.MEAN:
                weights = attention_mask.to(states.dtype)
                weights = weights / weights.sum(1, keepdim=True)
                pooled = (weights.unsqueeze(1) @ states).squeeze(1)
            case Pooling.CLS:
                pooled = states[:, 0]
        return torch.nn.functional.normalize(pooled.float(), dim=-1)
