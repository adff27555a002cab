"""Settings shared by all tests; markers are declared in pyproject.toml."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# No deadline: the first example of a test pays for imports, and machines differ. In continuous integration the examples
# are the same on every run, so that a red build can be repeated.
settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """The folder of a tiny model with random weights, ONNX graphs included; nothing may change it."""
    from tiny import ner, save_with_graphs

    return save_with_graphs(ner(), tmp_path_factory.mktemp("tiny"))
