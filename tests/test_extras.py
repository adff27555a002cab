"""`onoma.extras.require` reads the extras from the installed metadata and says which pip command helps."""

from __future__ import annotations

from importlib import metadata, util

import pytest

from onoma.errors import OnomaError
from onoma.extras import require

REQUIREMENTS = [
    "numpy>=1.26",
    "json; extra == 'good'",
    "json; python_version >= '3.11' and extra == \"both\"",
    "a-package-that-nobody-wrote[fast]>=2,<3; extra == 'both'",
]


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIREMENTS)


@pytest.mark.usefixtures("declared")
def test_an_installed_extra_passes() -> None:
    require("good")


@pytest.mark.usefixtures("declared")
def test_a_missing_package_gives_the_pip_command() -> None:
    with pytest.raises(OnomaError, match=r'\(a-package-that-nobody-wrote\); run: pip install "onoma\[both\]"$'):
        require("both")


@pytest.mark.usefixtures("declared")
def test_an_unknown_extra_is_a_mistake_of_ours() -> None:
    with pytest.raises(LookupError, match="'trian'"):
        require("trian")


def test_a_source_tree_without_metadata_declares_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> list[str]:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", absent)
    require("train")


@pytest.mark.parametrize("extra", ["torch", "train"])
def test_the_declared_extras_name_importable_packages(extra: str) -> None:
    if util.find_spec("torch") is None:
        pytest.skip("the extra is not installed")
    require(extra)
