"""Any Hugging Face encoder as a function from token ids to states, with letter-case features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from onoma.errors import OnomaError
from onoma.text.batch import CASE_CLASSES


class Backbone(nn.Module):
    """A transformer encoder whose input is word embedding + letter-case embedding.

    The case table starts at zero, so that an untrained backbone computes exactly what it was pretrained to.

    Args:
        model: a Hugging Face encoder that accepts `inputs_embeds` and `attention_mask`.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.width = int(model.config.hidden_size)  # type: ignore[union-attr, arg-type]
        self.case = nn.Embedding(CASE_CLASSES, self.width)
        nn.init.zeros_(self.case.weight)

    @staticmethod
    def pretrained(name: str | Path) -> Backbone:
        """Load a backbone by folder or hub id; raises `OnomaError` if it cannot be found."""
        from transformers import AutoModel

        try:
            model = AutoModel.from_pretrained(str(name), **_options(str(name)))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise OnomaError(
                f"the backbone {str(name)!r} cannot be loaded ({reason}); give a folder or hub id."
            ) from None
        return Backbone(model)

    @staticmethod
    def from_config(config: Mapping[str, Any]) -> Backbone:
        """Build a backbone with random weights from its Hugging Face configuration."""
        from transformers import AutoConfig, AutoModel

        options = {key: value for key, value in config.items() if key != "model_type"}
        hf_config = AutoConfig.for_model(config["model_type"], **options)
        pooling = {"add_pooling_layer": False} if config["model_type"] in _WITH_POOLER else {}
        return Backbone(AutoModel.from_config(hf_config, **pooling))  # type: ignore[no-untyped-call]

    @property
    def config(self) -> dict[str, Any]:
        """The Hugging Face configuration as a dict of JSON types."""
        config: dict[str, Any] = self.model.config.to_diff_dict()  # type: ignore[union-attr, operator]
        config["model_type"] = self.model.config.model_type  # type: ignore[union-attr]
        for key in ("architectures", "transformers_version", "_name_or_path", "torch_dtype", "dtype"):
            config.pop(key, None)
        return config

    @property
    def word_embeddings(self) -> nn.Embedding:
        """The word-embedding table."""
        return self.model.get_input_embeddings()  # type: ignore[operator, no-any-return]

    def use_word_embeddings(self, table: nn.Embedding) -> None:
        """Read `table` instead of the backbone's own word embeddings."""
        self.model.set_input_embeddings(table)  # type: ignore[operator]

    def forward(self, token_ids: Tensor, attention_mask: Tensor, case_ids: Tensor | None = None) -> Tensor:
        """Return the last hidden states.

        Args:
            token_ids, attention_mask: [B, T].
            case_ids: [B, T] letter-case classes, or None for text that carries none (labels).

        Returns:
            [B, T, D]
        """
        embeddings = self.word_embeddings(token_ids)
        if case_ids is not None:
            embeddings = embeddings + self.case(case_ids)
        states: Tensor = self.model(inputs_embeds=embeddings, attention_mask=attention_mask).last_hidden_state
        return states


_WITH_POOLER = frozenset({"bert", "roberta", "xlm-roberta", "camembert", "electra-pooled"})


def _options(name: str) -> dict[str, Any]:
    """Return loading options that suit training on short texts.

    Dropout is off: one pass over varied data does not overfit, and random numbers cost a third of a CPU step. Attention
    is eager: on windows of some fifty sub-tokens the fused kernel's backward pass takes a fifth of a CPU step.
    """
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(name)
    for key in ("hidden_dropout_prob", "attention_probs_dropout_prob", "embedding_dropout", "mlp_dropout"):
        if hasattr(config, key):
            setattr(config, key, 0.0)
    pooling = {"add_pooling_layer": False} if config.model_type in _WITH_POOLER else {}
    return {"config": config, "attn_implementation": "eager", **pooling}
