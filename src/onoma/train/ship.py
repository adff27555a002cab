"""A trained model folder -> the folder that is shipped: int8 weights, ONNX graphs, fitted threshold.

python -m onoma.train.ship runs/default src/onoma/models/default
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

from onoma.config import ModelConfig
from onoma.engines.export import export_onnx
from onoma.model import HEAD
from onoma.weights import read_weights


def ship(source: Path, target: Path, *, mention_floor: float | None = None) -> None:
    """Write a model folder with the encoder's matrices as int8 (one scale per row), everything else in float32.

    The graphs compute in float32 with the restored weights, so scores do not depend on the batch.

    Args:
        source: a folder written by `onoma train`.
        target: the folder to write; its model card (`README.md`) is left as it is.
        mention_floor: replaces the head's mention floor.

    Raises:
        OnomaError: if `source` is no model folder.
    """
    config = ModelConfig.load(source / "config.json")
    if mention_floor is not None:
        config = replace(config, head=replace(config.head, mention_floor=mention_floor))
    weights = read_weights(source / "model.safetensors")
    target.mkdir(parents=True, exist_ok=True)
    config.save(target / "config.json")
    shipped = weights.quantised(choose=lambda name: not name.startswith(HEAD))
    shipped.save(target / "model.safetensors")
    shutil.copyfile(source / "tokenizer.json", target / "tokenizer.json")
    shutil.copyfile(source / "thresholds.json", target / "thresholds.json")
    export_onnx(config, shipped, target / "onnx")


if __name__ == "__main__":
    ship(Path(sys.argv[1]), Path(sys.argv[2]), mention_floor=float(sys.argv[3]) if len(sys.argv) > 3 else None)
