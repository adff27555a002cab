"""The PyTorch engine: training, any Hugging Face backbone, GPUs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from onoma.config import ModelConfig
from onoma.encode.dual import DualEncoder
from onoma.errors import OnomaError
from onoma.heads.marker_torch import MarkerHead
from onoma.types import Encoded, FloatArray, IntArray, TokenBatch


class DualModel(nn.Module):
    """A dual encoder with a marker head.

    Args:
        encoder: text and label encoders.
        head: span scorer.
    """

    def __init__(self, encoder: DualEncoder, head: MarkerHead) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    @staticmethod
    def from_config(config: ModelConfig) -> DualModel:
        """Build a model with random weights."""
        return DualModel(DualEncoder.from_config(config.encoder), MarkerHead(config.head))

    def forward(
        self, token_ids: Tensor, attention_mask: Tensor, case_ids: Tensor, pool: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode windows and project them: start [B, U, H], end [B, U, H], residual [B, U, D]."""
        units = self.encoder.encode_text(token_ids, attention_mask, case_ids, pool)
        projected: tuple[Tensor, Tensor, Tensor] = self.head.project(units)
        return projected

    def weights(self) -> dict[str, Tensor]:
        """Return all weights by name, shared ones once."""
        unique: dict[str, Tensor] = {}
        seen: set[int] = set()
        for name, tensor in self.state_dict().items():
            if tensor.data_ptr() not in seen or tensor.numel() == 0:
                seen.add(tensor.data_ptr())
                unique[name] = tensor.detach().contiguous()
        return unique

    def load_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Load weights by name; raises `OnomaError` listing what is missing, unexpected or misshapen."""
        expected = self.weights()
        missing, unexpected = sorted(set(expected) - set(weights)), sorted(set(weights) - set(expected))
        if missing or unexpected:
            raise OnomaError(
                f"the weights do not fit the configuration: {len(missing)} missing {missing[:3]}, "
                f"{len(unexpected)} unexpected {unexpected[:3]}; the model folder is damaged or mixed up."
            )
        for name, tensor in weights.items():
            if tensor.shape != expected[name].shape:
                raise OnomaError(
                    f"the weight {name} has shape {tuple(tensor.shape)}, but the configuration needs "
                    f"{tuple(expected[name].shape)}; the model folder is damaged or mixed up."
                )
        with torch.no_grad():
            for name, tensor in weights.items():
                expected[name].copy_(tensor)


def bf16_is_fast() -> bool:
    """Tell whether this machine computes in bfloat16 faster than in float32."""
    return torch.cuda.is_available() or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class TorchEngine:
    """Runs the encoder and the learnt projections with PyTorch.

    Args:
        model: the model; it is used in place, so that it can be evaluated while it is trained.
        device: `cpu`, `cuda`, ...
        bf16: compute in bfloat16 (faster where the machine has it; scores then differ by a few 1e-3).
        threads: CPU threads of the whole process; None leaves PyTorch's choice.
    """

    def __init__(
        self, model: DualModel, *, device: str = "cpu", bf16: bool = False, threads: int | None = None
    ) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self._model = model.to(device)
        self._device = torch.device(device)
        self._bf16 = bf16

    def encode(self, batch: TokenBatch) -> Encoded:
        """Encode padded windows."""
        inputs = (batch.token_ids, batch.attention_mask, batch.case_ids, batch.pool)
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            start, end, residual = self._model(*(torch.from_numpy(array).to(self._device) for array in inputs))
        return Encoded(_numpy(start), _numpy(end), _numpy(residual), batch.unit_counts)

    def encode_labels(self, token_ids: IntArray, attention_mask: IntArray) -> FloatArray:
        """Encode padded labels [L, T] to unit-length vectors [L, D]."""
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            vectors = self._model.encoder.encode_labels(
                torch.from_numpy(token_ids).to(self._device), torch.from_numpy(attention_mask).to(self._device)
            )
        return _numpy(vectors)


def _numpy(tensor: Tensor) -> FloatArray:
    array: FloatArray = tensor.detach().float().cpu().numpy()
    return array


def load_torch_model(config: ModelConfig, weights: Mapping[str, np.ndarray]) -> DualModel:
    """Build the model of a configuration with the given weights."""
    model = DualModel.from_config(config)
    model.load_weights({name: torch.from_numpy(np.array(array)) for name, array in weights.items()})
    return model.eval()
