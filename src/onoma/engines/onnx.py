"""The onnxruntime engine: the core install's way to run a model, without PyTorch."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onoma.config import read_json
from onoma.errors import OnomaError
from onoma.types import Encoded, FloatArray, IntArray, TokenBatch
from onoma.weights import SCALE, Weights

if TYPE_CHECKING:
    import onnxruntime


TEXT, LABELS = "text.onnx", "labels.onnx"


class OnnxEngine:
    """Runs `text.onnx` and `labels.onnx`, each loaded when it is first needed.

    Args:
        folder: holds the two graphs.
        weights: the model's weights; the graphs refer to them by name.
        threads: CPU threads; None lets onnxruntime choose.
    """

    def __init__(self, folder: Path, weights: Weights, *, threads: int | None = None) -> None:
        for name in (TEXT, LABELS):
            if not (folder / name).is_file():
                raise OnomaError(
                    f"{folder / name} does not exist; export the model to ONNX, or load it with engine='torch'."
                )
        self._used = read_json(folder / "weights.json")
        self._folder = folder
        self._weights = weights
        self._threads = threads

    def encode(self, batch: TokenBatch) -> Encoded:
        """Encode padded windows."""
        inputs: dict[str, np.ndarray] = {
            "token_ids": batch.token_ids,
            "attention_mask": batch.attention_mask,
            "case_ids": batch.case_ids,
            "pool": batch.pool,
        }
        start, end, residual = _run(self.text_session, ["start", "end", "residual"], inputs)
        return Encoded(start, end, residual, batch.unit_counts)

    def encode_labels(self, token_ids: IntArray, attention_mask: IntArray) -> FloatArray:
        """Encode padded labels [L, T] to unit-length vectors [L, D]."""
        return _run(self._labels, ["vectors"], {"token_ids": token_ids, "attention_mask": attention_mask})[0]

    @cached_property
    def text_session(self) -> onnxruntime.InferenceSession:
        """The session that runs the text graph, for benchmarks and profiling."""
        return self._session(TEXT)

    @cached_property
    def _labels(self) -> onnxruntime.InferenceSession:
        return self._session(LABELS)

    def _session(self, name: str) -> onnxruntime.InferenceSession:
        """Open a graph and hand it the weights that it refers to."""
        import onnxruntime

        onnxruntime.set_default_logger_severity(3)
        options = onnxruntime.SessionOptions()
        # Waiting threads sleep instead of spinning: the scorer runs between two batches and needs their cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if self._threads is not None:
            options.intra_op_num_threads = self._threads
        names = self._used.get(name, [])
        try:
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(self._array(entry)) for entry in names]
        except KeyError as error:
            raise OnomaError(
                f"{name} needs the weight {error}, which model.safetensors lacks; fetch the model again."
            ) from None
        options.add_external_initializers(names, values)
        try:
            return onnxruntime.InferenceSession(
                str(self._folder / name), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime raises many kinds, none of them ours
            reason = str(error).splitlines()[0]
            raise OnomaError(
                f"{self._folder / name} cannot be run ({reason}); the model is damaged, fetch it again."
            ) from None

    def _array(self, name: str) -> np.ndarray:
        """Return a weight as the graphs want it: row scales as a column, an int8 table as stored beside its scales."""
        if name.endswith(SCALE):
            return self._weights.stored(name)[:, None]
        wants_int8 = any(name + SCALE in entries for entries in self._used.values())
        return np.asarray(self._weights.stored(name) if wants_int8 else self._weights[name], order="C")


def _run(session: onnxruntime.InferenceSession, names: list[str], inputs: dict[str, np.ndarray]) -> list[FloatArray]:
    """Compute the named results; token ids beyond the embedding table, for example, are an `OnomaError`."""
    try:
        results: list[FloatArray] = session.run(names, inputs)
    except Exception as error:  # onnxruntime raises many kinds, none of them ours
        reason = str(error).splitlines()[0]
        raise OnomaError(
            f"the encoder failed ({reason}); either memory is short (lower batch_tokens), or the tokenizer or "
            "config.json is another model's (fetch the model again)."
        ) from None
    return results
