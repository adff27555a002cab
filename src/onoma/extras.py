"""Optional dependencies: says which pip command installs what a feature needs.

Reads the extras from onoma's own installed metadata, so that `pyproject.toml` stays the only list of packages.
"""

from __future__ import annotations

import re
from importlib import metadata, util

from onoma.errors import OnomaError

_REQUIREMENT = re.compile(r"""^(?P<package>[A-Za-z0-9._-]+).*;.*\bextra\s*==\s*["'](?P<extra>[^"']+)["']""")


def require(extra: str) -> None:
    """Check that the packages of an extra are installed, without importing them.

    Args:
        extra: the name of an extra, e.g. `train`.

    Raises:
        OnomaError: a package is missing; the message holds the pip command that installs it.
        LookupError: onoma has no such extra.

        >>> require("train")  # doctest: +SKIP
    """
    try:
        requirements = metadata.requires("onoma") or []
    except metadata.PackageNotFoundError:
        return  # run from a source tree without installation: nothing declares extras, the imports themselves decide
    parsed = [match for match in map(_REQUIREMENT.match, requirements) if match]
    packages = sorted(match["package"] for match in parsed if match["extra"] == extra)
    if not packages:
        raise LookupError(f"onoma has no extra {extra!r}")
    missing = [package for package in packages if util.find_spec(_module(package)) is None]
    if missing:
        raise OnomaError(
            f'this needs packages that are not installed ({", ".join(missing)}); run: pip install "onoma[{extra}]"'
        )


def _module(package: str) -> str:
    """Return the module that a distribution of our extras installs: they all bear the distribution's name."""
    return re.sub(r"[-.]", "_", package).lower()
