"""The public names of onoma: adding or removing one must be a decision, so the list is written down here."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import onoma

PUBLIC = [
    "NER",
    "Document",
    "Entity",
    "Extraction",
    "Label",
    "LabelSet",
    "OnomaError",
    "Overlap",
    "Report",
    "__version__",
    "load",
]


def test_all_is_the_golden_list() -> None:
    assert onoma.__all__ == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_each_name_can_be_imported_and_listed(name: str) -> None:
    assert getattr(onoma, name) is not None
    assert name in dir(onoma)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'extract'"):
        onoma.extract  # noqa: B018


def test_type_checkers_see_what_is_imported_lazily() -> None:
    tree = ast.parse(Path(onoma.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    declared = {
        alias.name: str(node.module) for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert declared == onoma._MODULES
    assert sorted([*declared, "__version__"]) == sorted(PUBLIC)


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "__version__"])
def test_public_names_are_documented(name: str) -> None:
    assert (getattr(onoma, name).__doc__ or "").strip()
