"""PyTorch model -> ONNX graphs without weights; the weights stay in `model.safetensors`, stored once."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor, nn

from onoma.config import ModelConfig
from onoma.engines.torch import DualModel, load_torch_model
from onoma.weights import SCALE, Weights

OPSET = 17
EXTERNAL = "model.safetensors"
TOKENS = {0: "B", 1: "T"}


@dataclass(frozen=True, slots=True)
class _Path:
    """One of the two graphs: a module, example inputs and outputs by name with their variable axes."""

    file: str
    module: nn.Module
    inputs: dict[str, Tensor]
    axes: dict[str, dict[int, str]]

    @property
    def outputs(self) -> list[str]:
        return [name for name in self.axes if name not in self.inputs]


class _LabelPath(nn.Module):
    """The label side of a model as a module of its own, with unchanged parameter names."""

    def __init__(self, model: DualModel) -> None:
        super().__init__()
        self.encoder = model.encoder

    def forward(self, token_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.encoder.encode_labels(token_ids, attention_mask)


def export_onnx(config: ModelConfig, weights: Weights, folder: Path) -> None:
    """Write `text.onnx` and `labels.onnx`, and in `weights.json` which tensors of `model.safetensors` each refers to.

    Args:
        config, weights: the model; tables that are stored as int8 are looked up as int8, which saves memory.
        folder: where the graphs go, usually `onnx/` in the model folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = load_torch_model(config, weights)
    stored = {tensor.data_ptr(): name for name, tensor in model.weights().items()}
    used: dict[str, list[str]] = {}
    for path in _paths(model):
        graph = _trace(path, folder / path.file)
        names = {name: stored.get(tensor.data_ptr(), "") for name, tensor in path.module.state_dict().items()}
        used[path.file] = _refer_to_weights(graph.graph, names, weights)
        (folder / path.file).write_bytes(graph.SerializeToString())
    (folder / "weights.json").write_text(json.dumps(used, indent=1) + "\n", encoding="utf-8")


def _paths(model: DualModel) -> list[_Path]:
    ids, mask = torch.ones(2, 9, dtype=torch.long), torch.ones(2, 9, dtype=torch.long)
    mask[1, 5:] = 0
    labels = {"token_ids": ids, "attention_mask": mask}
    text = {**labels, "case_ids": torch.zeros_like(ids), "pool": torch.full((2, 5, 9), 1 / 9)}
    units = {0: "B", 1: "U"}
    text_axes = {name: TOKENS for name in text} | {"pool": {**units, 2: "T"}}
    label_axes = {name: TOKENS for name in labels}
    return [
        _Path("text.onnx", model, text, {**text_axes, "start": units, "end": units, "residual": units}),
        _Path("labels.onnx", _LabelPath(model).eval(), labels, {**label_axes, "vectors": {0: "L"}}),
    ]


def _trace(path: _Path, file: Path) -> onnx.ModelProto:
    """Export a module with the TorchScript exporter, which keeps parameter names."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            path.module, tuple(path.inputs.values()), str(file), dynamo=False, opset_version=OPSET,
            do_constant_folding=False, input_names=list(path.inputs), output_names=path.outputs, dynamic_axes=path.axes,
        )  # fmt: skip
    graph = onnx.load(str(file))
    for node in graph.graph.node:
        node.doc_string = ""
    return graph


def _refer_to_weights(graph: onnx.GraphProto, names: dict[str, str], weights: Weights) -> list[str]:
    """Replace initialisers by references to stored weights and return the names of those."""
    used: list[str] = []
    for initializer in list(graph.initializer):
        name = names.get(initializer.name)
        if not name:
            continue
        readers = [node for node in graph.node if initializer.name in node.input]
        if weights.is_int8(name) and all(node.op_type == "Gather" for node in readers):
            scale = _external(name + SCALE, TensorProto.FLOAT, [*initializer.dims[:1], 1])
            graph.initializer.extend([scale])
            for node in readers:
                _look_up_int8(graph, node, name)
            initializer.data_type = TensorProto.INT8
            used.append(name + SCALE)
        for node in readers:
            node.input[:] = [name if entry == initializer.name else entry for entry in node.input]
        initializer.CopyFrom(_external(name, initializer.data_type, initializer.dims))
        used.append(name)
    return used


def _look_up_int8(graph: onnx.GraphProto, gather: onnx.NodeProto, name: str) -> None:
    """Let `gather` read rows of an int8 table, and multiply them by their scales."""
    rows, row_scales, result = f"{name}/rows", f"{name}/scales", gather.output[0]
    gather.output[0] = f"{name}/int8"
    nodes = [
        helper.make_node("Cast", [gather.output[0]], [rows], to=TensorProto.FLOAT),
        helper.make_node("Gather", [name + SCALE, gather.input[1]], [row_scales]),
        helper.make_node("Mul", [rows, row_scales], [result]),
    ]
    place = next(index for index, node in enumerate(graph.node) if node is gather or node == gather)
    for offset, node in enumerate(nodes, start=1):
        graph.node.insert(place + offset, node)


def _external(name: str, kind: int, shape: list[int]) -> onnx.TensorProto:
    """Return an initialiser whose values lie elsewhere."""
    tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=EXTERNAL)
    return tensor
