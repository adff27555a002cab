"""The documentation is executed: every Python and shell block of the README and of docs/ runs, or is checked in full.

Python blocks of one file share a namespace, as a reader would type them. Shell lines that call `onoma` run it; lines
that install, train, evaluate or make are checked instead: every path, target, extra and option they name must exist.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

import onoma
from onoma.config import TextConfig

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", "CONTRIBUTING.md", *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))]
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)(?P<path>[^)#]+)(?:#[^)]*)?\)")
SHELL = ("bash", "console")
UNMAPPED = {"__main__.py", "__pycache__", "models", "py.typed"}


def blocks(page: str, *languages: str) -> list[str]:
    """Return the code blocks of a page in the given languages."""
    found = FENCE.finditer((ROOT / page).read_text(encoding="utf-8"))
    return [block["code"] for block in found if block["language"] in languages]


def commands(block: str) -> list[str]:
    """Return the commands of a shell block: continued lines joined, and what follows `$` if there are prompts."""
    lines = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    prompted = [line[2:] for line in lines if line.startswith("$ ")]
    return prompted or [line for line in lines if line and not line.startswith("#")]


SHELL_LINES = [(page, line) for page in PAGES for block in blocks(page, *SHELL) for line in commands(block)]


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples in which documentation may run and leave files, and an `onoma` command on the path."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    command = tmp_path / "bin" / "onoma"
    command.parent.mkdir()
    call = "import sys; from onoma.cli import main; sys.argv[0] = 'onoma'; sys.exit(main())"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -c {shlex.quote(call)} "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page: str, checkout: Path) -> None:
    namespace: dict[str, object] = {}
    for number, code in enumerate(blocks(page, "python")):
        exec(compile(code, f"{page}, block {number}", "exec"), namespace)


def exists(path: str) -> None:
    assert (ROOT / path).exists(), f"{path} does not exist"


def check_make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(words) <= targets


def check_pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert words[0] == "install"
    parsed = re.fullmatch(r"(?:\.|onoma)(?:\[(?P<extras>[\w,]+)\])?", words[-1])
    assert parsed is not None
    assert set((parsed["extras"] or "").split(",")) - {""} <= set(extras)


def check_python(words: list[str]) -> None:
    exists(words[0])


def check_train(words: list[str]) -> None:
    exists(words[0])
    check_options("train", words)


def check_options(verb: str, words: list[str]) -> None:
    known = subprocess.run(["onoma", verb, "--help"], capture_output=True, text=True, check=True).stdout
    unknown = [word for word in words if word.startswith("--") and word not in known]
    assert not unknown


# Commands that are too heavy or need what a test has not: first words -> check of the words that follow.
CHECKED: dict[str, Callable[[list[str]], None]] = {
    "cd": lambda words: None,
    "export": lambda words: None,
    "git clone": lambda words: None,
    "make": check_make,
    "onoma evaluate": lambda words: check_options("evaluate", words),
    "onoma train": check_train,
    "pip": check_pip,
    "python": check_python,
}


@pytest.mark.parametrize(("page", "line"), SHELL_LINES)
def test_shell_lines_run_or_are_checked(page: str, line: str, checkout: Path) -> None:
    subprocess.run(["bash", "-n", "-c", line], check=True)
    parts = [(part, first) for part in line.split(" && ") for first in CHECKED if part.startswith(f"{first} ")]
    if parts:
        assert len(parts) == len(line.split(" && "))
        for part, first in parts:
            CHECKED[first](shlex.split(part.removeprefix(first)))
        return
    assert re.search(r"(^|\| )onoma ", line), f"{page}: nothing is known about {line!r}; run or check it"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    broken = [link["path"] for link in LINK.finditer(text) if not ((ROOT / page).parent / link["path"]).exists()]
    assert not broken


def test_the_file_map_is_true() -> None:
    (tree,) = blocks("README.md", "text")
    folder = Path()
    for line in tree.splitlines():
        path = Path(line.split()[0])
        folder = folder if line.startswith(" ") else path
        exists((folder / path if line.startswith(" ") else path).as_posix())


def test_the_file_map_is_complete() -> None:
    (tree,) = blocks("README.md", "text")
    mapped = {line.split()[0].rstrip("/") for line in tree.splitlines()}
    present = {path.name for path in (ROOT / "src" / "onoma").iterdir()} - UNMAPPED
    assert present <= mapped, f"say what {sorted(present - mapped)} is for"


@cache
def explained() -> set[str]:
    """Return every word that the narrative page sets in code type."""
    code = re.findall(r"`([^`\n]+)`", FENCE.sub("", (ROOT / "docs" / "index.md").read_text(encoding="utf-8")))
    return {word for span in code for word in re.findall(r"[\w-]+", span)}


def test_every_recipe_key_is_explained() -> None:
    recipe = pytest.importorskip("onoma.train.recipe")
    kinds = (recipe.Recipe, recipe.ModelSpec, recipe.CorpusSpec, recipe.OptimSpec, TextConfig)
    assert {entry.name for kind in kinds for entry in fields(kind)} <= explained()


@pytest.mark.parametrize("verb", ["extract", "train", "evaluate", "info"])
def test_every_option_is_explained(verb: str, checkout: Path) -> None:
    shown = subprocess.run(["onoma", verb, "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"--[a-z][a-z-]*", shown.partition("Example:")[0])) - {"--help"}
    assert options <= explained()


def test_every_overlap_mode_is_explained() -> None:
    assert {mode.value for mode in onoma.Overlap} <= explained()


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == onoma.__version__


def test_the_demo_gold_belongs_to_the_demo_text() -> None:
    text = (ROOT / "examples" / "island.txt").read_text(encoding="utf-8")
    gold = json.loads((ROOT / "examples" / "island.gold.json").read_text(encoding="utf-8"))
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in gold)
    labels = (ROOT / "examples" / "island.labels.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert len(labels) >= 12
    assert set(labels) <= {entity["label"] for entity in gold}


def test_the_demo_files_are_what_the_script_writes(checkout: Path) -> None:
    before = {name: (ROOT / "examples" / name).read_bytes() for name in ("island.txt", "island.gold.json")}
    subprocess.run(
        [sys.executable, "examples/annotate.py", "examples/island.marked.txt"], check=True, capture_output=True
    )
    assert {name: (checkout / "examples" / name).read_bytes() for name in before} == before
