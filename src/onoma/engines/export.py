"""PyTorch model -> ONNX graphs without weights; the weights stay in `model.safetensors`, stored once."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from onoma.engines.torch import DualModel

OPSET = 17
EXTERNAL = "model.safetensors"


class _LabelPath(nn.Module):
    """The label side of a model as a module of its own, with unchanged parameter names."""

    def __init__(self, model: DualModel) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, token_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder.encode_labels(token_ids, attention_mask)


def export_onnx(model: DualModel, folder: Path) -> None:
    """Write `text.onnx` and `labels.onnx`, and in `weights.json` which tensors of `model.safetensors` each refers to.

    Args:
        model: any dual model; it is left in evaluation mode.
        folder: where the graphs go, usually `onnx/` in the model folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model.eval()
    ids, mask, case = torch.ones(2, 9, dtype=torch.long), torch.ones(2, 9, dtype=torch.long), torch.zeros(2, 9).long()
    mask[1, 5:] = 0
    pool = torch.full((2, 5, 9), 1 / 9)
    tokens = {0: "B", 1: "T"}
    text_axes = {
        "token_ids": tokens, "attention_mask": tokens, "case_ids": tokens, "pool": {0: "B", 1: "U", 2: "T"},
        "start": {0: "B", 1: "U"}, "end": {0: "B", 1: "U"}, "residual": {0: "B", 1: "U"},
    }  # fmt: skip
    used = {"text.onnx": _export(model, (ids, mask, case, pool), text_axes, 4, model, folder / "text.onnx")}
    label_axes = {"token_ids": tokens, "attention_mask": tokens, "vectors": {0: "B"}}
    label_path = _LabelPath(model).eval()
    used["labels.onnx"] = _export(label_path, (ids, mask), label_axes, 2, model, folder / "labels.onnx")
    (folder / "weights.json").write_text(json.dumps(used, indent=1) + "\n", encoding="utf-8")


def _export(
    module: nn.Module, example: tuple[Tensor, ...], axes: dict[str, Any], n_inputs: int, model: DualModel, path: Path
) -> list[str]:
    """Trace one path, replace its weights by references and return their names."""
    names = list(axes)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, example, str(path), dynamo=False, opset_version=OPSET, do_constant_folding=False,
            input_names=names[:n_inputs], output_names=names[n_inputs:], dynamic_axes=axes,
        )  # fmt: skip
    graph = onnx.load(str(path))
    canonical = _canonical_names(module, model)
    used: list[str] = []
    for initializer in graph.graph.initializer:
        name = canonical.get(initializer.name)
        if name is None:
            continue
        for node in graph.graph.node:
            node.input[:] = [name if entry == initializer.name else entry for entry in node.input]
        initializer.name = name
        _make_external(initializer)
        used.append(name)
    graph.doc_string = ""
    for node in graph.graph.node:
        node.doc_string = ""
    path.write_bytes(graph.SerializeToString())
    return used


def _canonical_names(module: nn.Module, model: DualModel) -> dict[str, str]:
    """Map the traced module's parameter names to the names under which the weights are stored."""
    stored = {tensor.data_ptr(): name for name, tensor in model.weights().items()}
    return {
        name: stored[tensor.data_ptr()] for name, tensor in module.state_dict().items() if tensor.data_ptr() in stored
    }


def _make_external(initializer: onnx.TensorProto) -> None:
    """Drop an initialiser's values and say where they lie."""
    initializer.ClearField("raw_data")
    initializer.ClearField("float_data")
    initializer.data_location = onnx.TensorProto.EXTERNAL
    initializer.external_data.add(key="location", value=EXTERNAL)
