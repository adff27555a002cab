"""Settings shared by all tests; markers are declared in pyproject.toml."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadline: the first example of a test pays for imports, and machines differ. In continuous integration the examples
# are the same on every run, so that a red build can be repeated.
settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "home")
