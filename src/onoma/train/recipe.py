"""Recipes: one TOML file that names the parts of a model and how they are trained."""

from __future__ import annotations

import importlib.util
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from onoma.config import Pooling, TextConfig, from_dict
from onoma.errors import OnomaError


class Annotation(Enum):
    """What an unmarked span of a corpus means.

    `OPEN`: every entity is marked with its most specific type, so unrelated types of other passages are negatives too.
    `PARTIAL`: only the corpus's own labels were annotated, and unmarked spans are negatives for those alone.
    `SPANS`: marks are incomplete; only spans that touch a marked one teach anything.
    """

    OPEN = "open"
    PARTIAL = "partial"
    SPANS = "spans"


@dataclass(frozen=True, kw_only=True)
class CorpusSpec:
    """Some corpora and their share of the training windows.

    Args:
        path: a file or glob, relative to `ONOMA_DATA` if set, else to the recipe's folder.
        annotation: what unmarked spans mean.
        share: fraction of all texts drawn from here; several files divide it by the square root of their size.
        exclude: file names (without extension) that the glob must not match.
    """

    path: str
    annotation: Annotation
    share: float
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.share > 0:
            raise OnomaError(f"the share of {self.path!r} is {self.share}, but must be above 0; leave the corpus out.")


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The parts of the model.

    Args:
        text_backbone, label_backbone: folder, hub id, or `package:NAME/FOLDER` inside an installed Python package.
        inner, max_width: sizes of the marker head.
        label_pooling: how label states become one vector.
        share_word_embeddings, freeze_word_embeddings: one word-embedding table for both sides; keep it as it is.
        initial: a model folder of the same architecture whose weights to start from; empty for pretrained backbones.
    """

    text_backbone: str
    label_backbone: str
    inner: int = 128
    max_width: int = 12
    label_pooling: Pooling = Pooling.MEAN
    share_word_embeddings: bool = True
    freeze_word_embeddings: bool = True
    initial: str = ""


@dataclass(frozen=True, kw_only=True)
class OptimSpec:
    """How the weights move.

    Args:
        steps: optimiser steps.
        batch_tokens: sub-tokens of text per step, padding included.
        max_labels: labels scored per step.
        negatives: labels per window that are sampled as negatives.
        definition_rate: fraction of defined labels written with their definition.
        lowercase_rate: fraction of windows whose letter case is hidden.
        backbone_lr, label_lr, head_lr: peak learning rates.
        warmup: fraction of steps with rising rates; they then fall to zero along a cosine.
        weight_decay, clip: AdamW decay and gradient-norm limit.
        focal_alpha, focal_gamma: focal loss (weight of positives, focusing exponent).
        mention_weight: weight of the label-free mention loss.
        specificity_weight: weight of the loss that ranks a mention's own type above its broader types.
    """

    steps: int
    batch_tokens: int = 1024
    max_labels: int = 128
    negatives: int = 6
    definition_rate: float = 0.1
    lowercase_rate: float = 0.1
    backbone_lr: float = 5e-5
    label_lr: float = 5e-5
    head_lr: float = 5e-4
    warmup: float = 0.05
    weight_decay: float = 0.01
    clip: float = 1.0
    focal_alpha: float = 0.75
    focal_gamma: float = 1.0
    mention_weight: float = 0.25
    specificity_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A training run: model, corpora, optimisation, validation.

    Args:
        name: stored in the model's configuration.
        held_out: files never trained on, on which the global threshold is fitted; none leaves it at 0.5.
        validate: files whose strict F1 is logged while training (never used to choose anything).
        validate_every, checkpoint_every: in steps.
        validate_rows: rows of each validation file that are used while training.
        seed: of data order and sampling.
    """

    name: str
    model: ModelSpec
    corpora: tuple[CorpusSpec, ...]
    optim: OptimSpec
    text: TextConfig = field(default_factory=TextConfig)
    held_out: tuple[str, ...] = ()
    validate: tuple[str, ...] = ()
    validate_every: int = 1000
    validate_rows: int = 100
    checkpoint_every: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.corpora:
            raise OnomaError("the recipe names no corpora; add a [[corpora]] table.")
        counts = {
            "optim.steps": self.optim.steps,
            "optim.batch_tokens": self.optim.batch_tokens,
            "optim.max_labels": self.optim.max_labels,
            "validate_every": self.validate_every,
            "checkpoint_every": self.checkpoint_every,
        }
        for key, value in counts.items():
            if value < 1:
                raise OnomaError(f"the recipe's {key} is {value}, but must be at least 1.")


def load_recipe(path: Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe, strictly.

    Args:
        path: the TOML file.
        overrides: `key.path=value` assignments, values in TOML syntax (bare words are strings).

    Raises:
        OnomaError: if the file is missing, is not TOML, or has unknown, missing or ill-typed keys.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OnomaError(f"the recipe {path} does not exist; give the path of a recipe file.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OnomaError(f"the recipe {path} is not valid TOML ({error}).") from None
    for assignment in overrides:
        _override(table, assignment)
    return from_dict(Recipe, table, where=str(path))


def _override(table: dict[str, Any], assignment: str) -> None:
    key, equals, literal = assignment.partition("=")
    if not equals or not key:
        raise OnomaError(f"--set got {assignment!r}, but expects key=value, e.g. optim.steps=100.")
    try:
        value = tomllib.loads(f"value = {literal}")["value"]
    except tomllib.TOMLDecodeError:
        value = literal
    *parents, leaf = key.split(".")
    for parent in parents:
        table = table.setdefault(parent, {})
        if not isinstance(table, dict):
            raise OnomaError(f"--set got {assignment!r}, but {parent!r} is not a table.")
    table[leaf] = value


def resolve_data(patterns: Sequence[str], recipe: Path, *, exclude: Sequence[str] = ()) -> list[Path]:
    """Return the files that match, in sorted order.

    Args:
        patterns: files or globs, absolute or relative to `ONOMA_DATA` if that is set, else to the recipe's folder.
        recipe: path of the recipe.
        exclude: file names without extension to leave out.

    Raises:
        OnomaError: if a pattern matches nothing.
    """
    found: list[Path] = []
    for pattern in patterns:
        anchor = Path(pattern).anchor
        root = Path(anchor or os.environ.get("ONOMA_DATA") or recipe.parent)
        relative = pattern.removeprefix(anchor)
        matches = sorted(path for path in root.glob(relative or ".") if corpus_name(path) not in exclude)
        if not matches:
            raise OnomaError(
                f"{pattern!r} matches no file in {root} that is not excluded or held out; "
                "set ONOMA_DATA to the folder that holds the data."
            )
        found += matches
    return found


def corpus_name(path: Path) -> str:
    """Return a data file's name without its extensions.

    >>> corpus_name(Path("train/snips.jsonl.gz"))
    'snips'
    """
    return path.name.split(".jsonl")[0]


def resolve_backbone(name: str) -> str:
    """Turn `package:NAME/FOLDER` into a path inside an installed Python package; return other names unchanged."""
    if not name.startswith("package:"):
        return name
    package, _, folder = name.removeprefix("package:").partition("/")
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise OnomaError(
            f"the recipe's backbone is in the Python package {package!r}, which is missing; pip install it."
        )
    return str(Path(next(iter(spec.submodule_search_locations))) / folder)
