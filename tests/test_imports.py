"""Importing onoma is light: no numerical or neural library is loaded, and little time passes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src"
HEAVY = {"numpy", "onnx", "onnxruntime", "regex", "tokenizers", "torch", "tqdm", "transformers", "typer"}
TRAINING_ONLY = {"onnx", "torch", "transformers"}
IMPORT_BUDGET = 0.15


def python(code: str) -> str:
    """Run code in a fresh interpreter that finds this checkout's onoma, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return ran.stdout


def loaded_by(statement: str) -> set[str]:
    """Return the top-level packages that a statement loads in a fresh interpreter."""
    code = f"import sys, json; {statement}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    return set(json.loads(python(code)))


def seconds(code: str) -> float:
    """Return how long a fresh interpreter takes for some code."""
    began = time.perf_counter()
    python(code)
    return time.perf_counter() - began


def test_the_guard_itself_notices_a_heavy_import() -> None:
    assert "numpy" in loaded_by("import onoma.types")


@pytest.mark.parametrize("statement", ["import onoma", "import onoma; onoma.OnomaError"])
def test_import_loads_nothing_heavy(statement: str) -> None:
    assert loaded_by(statement).isdisjoint(HEAVY)


@pytest.mark.parametrize("module", ["onoma.model", "onoma.pipeline", "onoma.cli"])
def test_the_core_does_not_load_the_training_libraries(module: str) -> None:
    assert loaded_by(f"import {module}").isdisjoint(TRAINING_ONLY)


def test_import_takes_little_time() -> None:
    # The best of a few alternating pairs: a busy machine delays some of them, rarely all.
    pairs = [(seconds("pass"), seconds("import onoma")) for _ in range(5)]
    bare, imported = (min(times) for times in zip(*pairs, strict=True))
    assert imported - bare <= IMPORT_BUDGET
