"""What a model is, in words, without loading it."""

from __future__ import annotations

from pathlib import Path

from onoma.config import ModelConfig
from onoma.decode.thresholds import Thresholds
from onoma.model import find_model
from onoma.weights import SCALE, read_shapes


def describe(path_or_name: str | Path | None = None) -> dict[str, str]:
    """Return what `onoma info` shows: one line of text for each property of a model.

    Args:
        path_or_name: as for `onoma.load`.

    Raises:
        OnomaError: if there is no such model or it is damaged.

        >>> describe()["name"]
        'onoma-default'
    """
    folder = find_model(path_or_name)
    config = ModelConfig.load(folder / "config.json")
    thresholds = Thresholds.load(folder / "thresholds.json")
    parameters, quantised = _count_parameters(folder / "model.safetensors")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    backbone = config.encoder.text_backbone.get("model_type", "unknown backbone")
    return {
        "name": config.name,
        "folder": str(folder),
        "format version": str(config.format_version),
        "architecture": f"dual encoder ({backbone}, width {config.head.width}), marker head",
        "parameters": f"{parameters:,}, {quantised:,} of them stored as int8",
        "units": f"{config.text.units.value}s; spans of up to {config.head.max_width}",
        "window": f"{config.text.max_tokens} sub-tokens, {config.text.overlap_units} units overlap",
        "labels": f"up to {config.encoder.max_label_tokens} sub-tokens each",
        "threshold": f"{thresholds.global_:g}, fitted on {thresholds.fitted_on or 'nothing on record'}",
        "label thresholds": ", ".join(f"{name} {value:g}" for name, value in thresholds.labels.items()) or "none",
        "onnx graphs": "yes" if (folder / "onnx").is_dir() else "no; load with engine='torch'",
        "size": f"{sum(path.stat().st_size for path in files) / 1e6:.1f} MB in {len(files)} files",
    }


def _count_parameters(path: Path) -> tuple[int, int]:
    """Return how many weights a file holds, and how many of them are int8."""
    total = quantised = 0
    for name, (kind, size) in read_shapes(path).items():
        if not name.endswith(SCALE):
            total += size
            quantised += size if kind == "I8" else 0
    return total, quantised
