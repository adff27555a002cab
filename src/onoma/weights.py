"""Weights on disk: one safetensors file, large matrices optionally as int8 with one scale per row.

Quantisation is of the weights alone; computation stays in float32, so scores do not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from onoma.errors import OnomaError
from onoma.types import FloatArray

SCALE = ".scale"
"""Suffix of the tensor that holds the row scales of an int8 tensor."""


def read_weights(path: Path) -> dict[str, FloatArray]:
    """Read all weights as float32.

    Raises:
        OnomaError: if the file is missing, cut off or otherwise damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise OnomaError(f"{path} does not exist; an onoma model folder must contain it.")
    try:
        stored = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise OnomaError(f"{path} is damaged ({error}); fetch the model again.") from None
    weights: dict[str, FloatArray] = {}
    for name, tensor in stored.items():
        if tensor.dtype == np.int8:
            if name + SCALE not in stored:
                raise OnomaError(f"{path} is damaged: the int8 tensor {name} has no scales; fetch the model again.")
            weights[name] = tensor * stored[name + SCALE][:, None]
        elif not name.endswith(SCALE):
            weights[name] = tensor.astype(np.float32, copy=False)
    return weights


def write_weights(
    path: Path, weights: Mapping[str, FloatArray], *, quantise: Callable[[str], bool] = lambda name: False
) -> None:
    """Write weights, those matrices as int8 for which `quantise(name)` is true.

    Args:
        path: the safetensors file.
        weights: float32 arrays by name.
        quantise: chooses by name; arrays that are not matrices stay float32.
    """
    from safetensors.numpy import save_file

    stored: dict[str, np.ndarray] = {}
    for name, tensor in weights.items():
        if tensor.ndim == 2 and quantise(name):
            scale = np.maximum(np.abs(tensor).max(axis=1), 1e-12).astype(np.float32) / np.float32(127.0)
            stored[name] = np.rint(tensor / scale[:, None]).astype(np.int8)
            stored[name + SCALE] = scale
        else:
            stored[name] = np.asarray(tensor, order="C")
    save_file(stored, path)


def read_shapes(path: Path) -> dict[str, tuple[str, int]]:
    """Return the stored type and number of elements of each tensor, reading none; errors as `read_weights`."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise OnomaError(f"{path} does not exist; an onoma model folder must contain it.")
    try:
        with safe_open(path, framework="numpy") as file:
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  not a dict
            return {name: (part.get_dtype(), int(np.prod(part.get_shape()))) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise OnomaError(f"{path} is damaged ({error}); fetch the model again.") from None
