"""Thresholds: strict files, precedence of call over label over model, and the logit at its ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.decode.thresholds import ResolvedThresholds, Thresholds, logit, resolve_thresholds
from onoma.errors import OnomaError
from onoma.types import Label

PROBABILITIES = st.floats(0, 1)
NOT_PROBABILITIES = [-0.01, 1.01, float("nan"), float("inf"), 10**400, True, False, np.True_, "0.5", None, [0.5], 1j]
LABELS = [Label("city"), Label("river", threshold=0.2), Label("person"), Label("gene", threshold=0.3)]
MODEL = Thresholds(0.5, {"person": 0.6, "gene": 0.7, "planet": 0.8})


def shown(resolved: ResolvedThresholds) -> tuple[list[float], Mapping[str, int]]:
    return [round(float(value), 6) for value in resolved.values], dict(resolved.sources)


@given(PROBABILITIES, st.dictionaries(st.text(), PROBABILITIES), st.text())
def test_dict_round_trip(global_: float, labels: dict[str, float], fitted_on: str) -> None:
    thresholds = Thresholds(global_, labels, fitted_on)
    assert Thresholds.from_dict(json.loads(json.dumps(thresholds.to_dict()))) == thresholds


def test_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "thresholds.json"
    MODEL.save(path)
    assert json.loads(path.read_text(encoding="utf-8")) == {
        "global": 0.5,
        "labels": {"person": 0.6, "gene": 0.7, "planet": 0.8},
        "fitted_on": "",
    }
    assert Thresholds.load(str(path)) == MODEL


def test_labels_and_fitted_on_are_optional() -> None:
    assert Thresholds.from_dict({"global": 1}) == Thresholds(1.0, {}, "")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"global": 0.5, "label": {}}, "unknown key 'label'"),
        ({"labels": {}}, "lacks the key 'global'"),
        ({"global": 0.5, "labels": [0.5]}, r"labels is \[0.5\]"),
        ({"global": 0.5, "labels": {3: 0.5}}, r"labels is \{3: 0.5\}"),
        ({"global": 0.5, "labels": {"city": 2}}, "the threshold of 'city' is 2"),
        ({"global": "0.5"}, "the global threshold is '0.5'"),
        ({"global": 0.5, "fitted_on": 3}, "fitted_on is 3"),
    ],
)
def test_from_dict_refuses(values: dict[str, Any], message: str) -> None:
    with pytest.raises(OnomaError, match=f"^there.*{message}"):
        Thresholds.from_dict(values, where="there")


@pytest.mark.parametrize("text", ['{"global": NaN}', '{"global": Infinity}', "[]", "{", ""])
def test_load_refuses_and_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "thresholds.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OnomaError, match=r"thresholds\.json"):
        Thresholds.load(path)


def test_missing_and_unwritable_files_are_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "thresholds.json"
    with pytest.raises(OnomaError, match=r"thresholds\.json does not exist"):
        Thresholds.load(path)
    with pytest.raises(OnomaError, match=r"thresholds\.json cannot be written"):
        MODEL.save(path)


@pytest.mark.parametrize("value", NOT_PROBABILITIES)
def test_what_is_no_probability_is_refused_everywhere(value: Any) -> None:
    with pytest.raises(OnomaError, match="global threshold"):
        Thresholds(value)
    with pytest.raises(OnomaError, match="'city'"):
        Thresholds(0.5, {"city": value})
    with pytest.raises(OnomaError, match="'city'"):
        resolve_thresholds(MODEL, LABELS, {"city": value})
    if value is not None:
        with pytest.raises(OnomaError, match=r"^threshold is"):
            resolve_thresholds(MODEL, LABELS, value)
        with pytest.raises(OnomaError, match="'city'"):
            resolve_thresholds(MODEL, [Label("city", threshold=value)], 0.5)


@pytest.mark.parametrize("value", [0, 1, 0.25, np.float32(0.25), np.float64(1), np.int64(0)])
def test_numbers_of_any_kind_are_accepted(value: Any) -> None:
    assert resolve_thresholds(MODEL, LABELS, value).values.tolist() == [float(value)] * 4


def test_precedence() -> None:
    assert shown(resolve_thresholds(MODEL, LABELS, None)) == ([0.5, 0.2, 0.6, 0.3], {"label": 2, "model": 2})
    assert shown(resolve_thresholds(MODEL, LABELS, 0.9)) == ([0.9] * 4, {"call": 4})
    assert shown(resolve_thresholds(MODEL, LABELS, {"river": 0.0, "person": 1})) == (
        [0.5, 0.0, 1.0, 0.3],
        {"call": 2, "label": 1, "model": 1},
    )
    assert shown(resolve_thresholds(MODEL, LABELS, {})) == shown(resolve_thresholds(MODEL, LABELS, None))


def test_values_are_single_precision_and_may_be_empty() -> None:
    assert resolve_thresholds(MODEL, LABELS, None).values.dtype == np.float32
    assert shown(resolve_thresholds(MODEL, [], 0.5)) == ([], {})


def test_a_label_that_is_not_asked_for_is_refused() -> None:
    with pytest.raises(OnomaError, match="'town', which is none of the 4 labels"):
        resolve_thresholds(MODEL, LABELS, {"city": 0.5, "town": 0.5})


@given(PROBABILITIES)
def test_the_model_keeps_its_own_copy(value: float) -> None:
    labels = {"city": value}
    thresholds = Thresholds(0.5, labels)
    labels["city"] = 7.0
    assert thresholds.labels == {"city": value}


@given(st.lists(st.floats(0, 1, width=32), min_size=1))
def test_logit_rises_and_is_the_inverse_of_the_sigmoid(values: list[float]) -> None:
    probabilities = np.sort(np.array(values, np.float32))
    logits = logit(probabilities)
    assert logits.dtype == np.float32
    assert (logits[1:] >= logits[:-1]).all()
    with np.errstate(over="ignore"):
        assert np.allclose(1 / (1 + np.exp(-logits.astype(np.float64))), probabilities, atol=1e-6)


def test_logit_at_its_ends() -> None:
    assert logit(np.array([0, 0.5, 1], np.float32)).tolist() == [-np.inf, 0.0, np.inf]
    assert logit(np.array([0.25])).dtype == np.float64
