"""Weights on disk: one safetensors file, large matrices optionally as int8 with one scale per row.

Quantisation is of the weights alone; computation stays in float32, so scores do not depend on the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from onoma.errors import OnomaError
from onoma.types import FloatArray

SCALE = ".scale"
"""Suffix of the tensor that holds the row scales of an int8 tensor."""


class Weights(Mapping[str, FloatArray]):
    """All weights of a model by name, read as float32; an int8 matrix is expanded anew at each look-up.

    So a loaded model holds its matrices once, in the form in which they are stored.

    Args:
        stored: float32 arrays, and int8 matrices each with a vector of row scales under its name + `SCALE`.

    Raises:
        OnomaError: if an int8 matrix lacks its scales.
    """

    def __init__(self, stored: Mapping[str, np.ndarray]) -> None:
        self._stored = stored
        self._names = [name for name in stored if not name.endswith(SCALE)]
        for name in self._names:
            tensor, scales = stored[name], stored.get(name + SCALE)
            if tensor.dtype == np.int8 and (scales is None or tensor.ndim != 2 or scales.shape != tensor.shape[:1]):
                raise OnomaError(
                    f"the int8 tensor {name} lacks one scale per row; the weights are damaged, fetch the model again."
                )

    def __getitem__(self, name: str) -> FloatArray:
        tensor = self._stored[name]
        expanded: FloatArray = tensor * self._stored[name + SCALE][:, None] if tensor.dtype == np.int8 else tensor
        return expanded.astype(np.float32, copy=False)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def is_int8(self, name: str) -> bool:
        """Tell whether a matrix is stored as int8."""
        return bool(self._stored[name].dtype == np.int8)

    def stored(self, name: str) -> np.ndarray:
        """Return an array as it is stored; `name` may be that of row scales."""
        return self._stored[name]

    def quantised(self, *, choose: Callable[[str], bool]) -> Weights:
        """Return these weights with those matrices as int8, one scale per row, for whose name `choose` is true."""
        stored: dict[str, np.ndarray] = {}
        for name, tensor in self.items():
            if tensor.ndim == 2 and choose(name):
                scale = np.maximum(np.abs(tensor).max(axis=1), 1e-12).astype(np.float32) / np.float32(127.0)
                stored[name] = np.rint(tensor / scale[:, None]).astype(np.int8)
                stored[name + SCALE] = scale
            else:
                stored[name] = tensor
        return Weights(stored)

    def save(self, path: Path) -> None:
        """Write the weights as one safetensors file."""
        from safetensors.numpy import save_file

        save_file({name: np.asarray(tensor, order="C") for name, tensor in self._stored.items()}, path)
        path.chmod(0o644)


def read_weights(path: Path) -> Weights:
    """Read a safetensors file.

    Raises:
        OnomaError: if the file is missing, cut off or otherwise damaged.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    if not path.is_file():
        raise OnomaError(f"{path} does not exist; an onoma model folder must contain it.")
    try:
        return Weights(load_file(path))
    except (SafetensorError, OSError, TypeError) as error:  # TypeError: a number type that numpy lacks
        raise OnomaError(f"{path} is damaged ({error}); fetch the model again.") from None


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
