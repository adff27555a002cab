"""From which probability on a candidate counts: `score >= threshold`, one threshold per label.

Threshold 0 keeps everything and threshold 1 only what has probability 1. A model brings its own thresholds
(`thresholds.json`), a label may carry one, and a call may give some; the most specific one applies: call, then label,
then the model's for that label, then the model's global one.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from onoma.config import read_json
from onoma.errors import OnomaError
from onoma.types import FloatArray, Label

FloatT = TypeVar("FloatT", bound=np.floating[Any])


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds that come with a model.

    Args:
        global_: for every label without one of its own.
        labels: label name -> threshold.
        fitted_on: what they were chosen on, in words.

    Raises:
        OnomaError: if a threshold is not a number within 0..1.

        >>> Thresholds(0.5, {"city": 0.4}).to_dict()["global"]
        0.5
    """

    global_: float
    labels: Mapping[str, float] = field(default_factory=dict)
    fitted_on: str = ""

    def __post_init__(self) -> None:
        checked = {name: _probability(value, name=f"the threshold of {name!r}") for name, value in self.labels.items()}
        object.__setattr__(self, "global_", _probability(self.global_, name="the global threshold"))
        object.__setattr__(self, "labels", checked)

    @staticmethod
    def from_dict(values: Mapping[str, Any], *, where: str = "thresholds") -> Thresholds:
        """Read the mapping that `to_dict` gives, strictly.

        Args:
            values: the keys `global` (required), `labels` and `fitted_on`.
            where: file or table named in errors.

        Raises:
            OnomaError: on an unknown or missing key, or a value of the wrong type or outside 0..1.
        """
        known = ("global", "labels", "fitted_on")
        unknown = [key for key in values if key not in known]
        if unknown:
            raise OnomaError(f"{where} has the unknown key {unknown[0]!r}; known keys are {', '.join(known)}.")
        if "global" not in values:
            raise OnomaError(f"{where} lacks the key 'global'; add the threshold of labels without one of their own.")
        labels, fitted_on = values.get("labels", {}), values.get("fitted_on", "")
        if not isinstance(labels, Mapping) or not all(isinstance(name, str) for name in labels):
            shown = reprlib.repr(labels)
            raise OnomaError(f"{where}: labels is {shown}, but a table from label name to threshold was expected.")
        if not isinstance(fitted_on, str):
            raise OnomaError(f"{where}: fitted_on is {fitted_on!r}, but a string was expected.")
        try:
            return Thresholds(values["global"], labels, fitted_on)
        except OnomaError as error:
            raise OnomaError(f"{where}: {error}") from None

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON types, with the keys `global`, `labels` and `fitted_on`."""
        return {"global": self.global_, "labels": dict(self.labels), "fitted_on": self.fitted_on}

    @staticmethod
    def load(path: str | Path) -> Thresholds:
        """Read `thresholds.json`; raises `OnomaError` if it is missing or not a valid one."""
        return Thresholds.from_dict(read_json(Path(path)), where=str(path))

    def save(self, path: str | Path) -> None:
        """Write `thresholds.json`; raises `OnomaError` if the file cannot be written."""
        try:
            Path(path).write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise OnomaError(f"{path} cannot be written ({error.strerror}); give a writable path.") from None


@dataclass(frozen=True, slots=True)
class ResolvedThresholds:
    """The threshold of each label of a call.

    Args:
        values: [L] thresholds, in the order of the labels.
        sources: where they came from (`call`, `label` or `model`) -> number of labels; what did not occur is left out.
    """

    values: FloatArray
    sources: Mapping[str, int]


def resolve_thresholds(
    thresholds: Thresholds, labels: Sequence[Label], call: float | Mapping[str, float] | None
) -> ResolvedThresholds:
    """Choose the threshold of each label: the call's, else the label's own, else the model's.

    Args:
        thresholds: what comes with the model.
        labels: [L] what is asked for.
        call: what the caller gave: one threshold for all labels, or label name -> threshold for some of them, or none.

    Raises:
        OnomaError: if a threshold is not a number within 0..1, or `call` names a label that is not asked for.

        >>> resolve_thresholds(Thresholds(0.5), [Label("city"), Label("river")], {"city": 0.3}).sources
        {'call': 1, 'model': 1}
    """
    from_call = _call_thresholds(labels, call)
    values = np.empty(len(labels), np.float32)
    counts = {"call": 0, "label": 0, "model": 0}
    for row, label in enumerate(labels):
        own = label.threshold
        if own is not None:
            own = _probability(own, name=f"the threshold of the label {label.name!r}")
        if label.name in from_call:
            source, value = "call", from_call[label.name]
        elif own is not None:
            source, value = "label", own
        else:
            source, value = "model", thresholds.labels.get(label.name, thresholds.global_)
        counts[source] += 1
        values[row] = value
    return ResolvedThresholds(values, {source: count for source, count in counts.items() if count})


def logit(probabilities: NDArray[FloatT]) -> NDArray[FloatT]:
    """Return log(p / (1 - p)) elementwise, in the type that came in: minus infinity at 0, infinity at 1.

    Args:
        probabilities: any shape, within 0..1.

        >>> logit(np.array([0.0, 0.5, 1.0])).tolist()
        [-inf, 0.0, inf]
    """
    exact = probabilities.astype(np.float64)
    with np.errstate(divide="ignore"):
        return (np.log(exact) - np.log1p(-exact)).astype(probabilities.dtype)


def _call_thresholds(labels: Sequence[Label], call: float | Mapping[str, float] | None) -> dict[str, float]:
    """Return label name -> threshold for the labels that the call gives one for."""
    if call is None:
        return {}
    if not isinstance(call, Mapping):
        value = _probability(call, name="threshold")
        return {label.name: value for label in labels}
    strangers = call.keys() - {label.name for label in labels}
    if strangers:
        stranger = min(strangers, key=repr)
        raise OnomaError(f"threshold names {stranger!r}, which is none of the {len(labels)} labels; correct it.")
    return {name: _probability(value, name=f"the threshold of {name!r}") for name, value in call.items()}


def _probability(value: object, *, name: str) -> float:
    """Return `value` as a float if it is a number within 0..1.

    Args:
        value: what came in.
        name: how the error calls it.

    Raises:
        OnomaError: if it is no number (a bool is none), NaN, or outside 0..1.
    """
    number = (int, float, np.integer, np.floating)
    if isinstance(value, bool) or not isinstance(value, number) or not 0 <= value <= 1:
        raise OnomaError(f"{name} is {value!r}; give a number from 0 to 1.")
    return float(value)
