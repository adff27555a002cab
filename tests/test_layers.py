"""The path of the data is the layout: imports point only backwards along it, and the core knows no torch."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "src" / "onoma"

# A part may import from its own layer's parts of the same name and from any earlier layer.
LAYERS = (
    {"errors"},
    {"types", "extras"},
    {"config"},
    {"text"},
    {"encode"},
    {"heads"},
    {"labels"},
    {"decode"},
    {"link"},
)
# The doors use the whole path; among themselves they are free, as are single modules that LAYERS does not name.
DOORS = {"engines", "evaluate", "interop", "models", "scale", "serve", "train"}

TRAINING_LIBRARIES = {"onnx", "torch", "transformers"}
TORCH_PLACES = ("encode/", "train/", "engines/torch.py", "engines/export.py", "heads/marker_torch.py")

FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


def rank(part: str) -> int:
    """Return a part's place along the path; doors come last."""
    return next((place for place, parts in enumerate(LAYERS) if part in parts), len(LAYERS))


def part_of(dotted: str) -> str:
    """Return the part of onoma that a module belongs to: `onoma.text.windows` -> `text`."""
    return dotted.split(".")[1] if "." in dotted else "__init__"


def imported(nodes: Iterator[ast.AST], package: list[str]) -> Iterator[str]:
    """Yield the dotted names of imported modules, relative ones made absolute below `package`."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            # `from onoma import text` names a module, `from onoma.text import segment` may: the part is the same.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def at_module_level(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """Yield the statements that run on import, those for type checkers apart."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from at_module_level(node.orelse)
            continue
        yield node
        for name in ("body", "orelse", "finalbody"):
            yield from at_module_level(getattr(node, name, []))
        for handler in getattr(node, "handlers", []):
            yield from at_module_level(handler.body)


def parse(file: str) -> tuple[ast.Module, list[str]]:
    """Return a file's syntax tree and the package that it lies in."""
    return ast.parse((PACKAGE / file).read_text(encoding="utf-8")), ["onoma", *Path(file).parent.parts]


def test_every_folder_has_a_place() -> None:
    known = set().union(*LAYERS) | DOORS
    unknown = {Path(file).parts[0] for file in FILES if "/" in file} - known
    assert not unknown, f"give {sorted(unknown)} a place in LAYERS or DOORS"


@pytest.mark.parametrize("file", FILES)
def test_imports_point_backwards(file: str) -> None:
    tree, package = parse(file)
    own = Path(file).parts[0].removesuffix(".py")
    if rank(own) == len(LAYERS):
        return
    used = {part_of(name) for name in imported(ast.walk(tree), package) if name.split(".")[0] == "onoma"}
    forward = sorted(part for part in used - {own} if rank(part) >= rank(own))
    assert not forward, f"{file} imports {forward}, which come later on the path"


@pytest.mark.parametrize("file", [file for file in FILES if not file.startswith(TORCH_PLACES)])
def test_the_core_has_no_training_library_at_module_level(file: str) -> None:
    tree, package = parse(file)
    used = {name.split(".")[0] for name in imported(at_module_level(tree.body), package)}
    assert used.isdisjoint(TRAINING_LIBRARIES)


def test_the_parser_sees_every_form_of_import() -> None:
    source = "import torch.nn\nfrom onoma import heads\nfrom ..text import segment\ndef late():\n    import onnx"
    names = set(imported(ast.walk(ast.parse(source)), ["onoma", "labels"]))
    assert names == {"torch.nn", "onoma.heads", "onoma.text.segment", "onnx"}
    guarded = "if TYPE_CHECKING:\n    import torch\ndef late():\n    import onnx\nclass A:\n    import transformers"
    assert set(imported(at_module_level(ast.parse(guarded).body), [])) == {"transformers"}
