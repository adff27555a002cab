"""Recipes are read strictly: what is misspelt, missing or of the wrong type is an error that names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from onoma.config import Pooling
from onoma.errors import OnomaError
from onoma.train.recipe import Annotation, corpus_name, load_recipe, resolve_backbone, resolve_data

MINIMAL = """
name = "x"
[model]
text_backbone = "a"
label_backbone = "b"
[optim]
steps = 10
[[corpora]]
path = "x.jsonl"
annotation = "open"
share = 0.5
"""


@pytest.fixture
def minimal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("ONOMA_DATA", raising=False)
    path = tmp_path / "recipe.toml"
    path.write_text(MINIMAL, encoding="utf-8")
    return path


def rewrite(path: Path, old: str, new: str) -> Path:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_a_minimal_recipe_gets_the_documented_defaults(minimal: Path) -> None:
    recipe = load_recipe(minimal)
    assert (recipe.name, recipe.seed, recipe.optim.steps, recipe.text.max_tokens) == ("x", 0, 10, 256)
    assert recipe.model.label_pooling is Pooling.MEAN
    assert recipe.corpora[0].annotation is Annotation.OPEN


def test_the_repositorys_recipes_are_valid() -> None:
    paths = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
    assert paths
    for path in paths:
        assert load_recipe(path).corpora


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "x"', 'name = "x"\nsede = 1', "unknown key 'sede'"),
        ("steps = 10", "steps = 10\nlr = 1.0", "optim has the unknown key 'lr'"),
        ("share = 0.5", "share = 0.5\nweight = 2", "unknown key 'weight'"),
        ("steps = 10", "", "lacks the key 'steps'"),
        ("steps = 10", "steps = 10.5", "optim: steps is 10.5"),
        ("steps = 10", "steps = true", "optim: steps is True"),
        ('annotation = "open"', 'annotation = "closed"', "must be one of 'open', 'partial', 'spans'"),
        ("[[corpora]]", "[corpora]", "a list was expected"),
        ("steps = 10", "steps = 0", "optim.steps is 0"),
        ('name = "x"', 'name = "x"\nvalidate_every = 0', "validate_every is 0"),
        ("share = 0.5", "share = 0", "must be above 0"),
        ("share = 0.5", "share = nan", "must be above 0"),
        ("steps = 10", "steps = ", "not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_refused(minimal: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(OnomaError, match=message.replace("[", r"\[")):
        load_recipe(rewrite(minimal, old, new))


def test_a_missing_or_undecodable_recipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OnomaError, match="does not exist"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(OnomaError, match="not valid TOML"):
        load_recipe(tmp_path / "latin.toml")


def test_a_recipe_without_corpora_is_refused(minimal: Path) -> None:
    with pytest.raises(OnomaError, match="names no corpora"):
        load_recipe(minimal, overrides=["corpora=[]"])


def test_overrides_read_toml_and_bare_strings(minimal: Path) -> None:
    overrides = ["optim.steps=7", "name=bare words", 'validate=["a.jsonl", "b.jsonl"]', "text.max_tokens=64"]
    recipe = load_recipe(minimal, overrides=[*overrides, "optim.clip=2", "model.label_pooling=cls", "seed=1", "seed=2"])
    assert (recipe.optim.steps, recipe.name, recipe.validate) == (7, "bare words", ("a.jsonl", "b.jsonl"))
    assert (recipe.text.max_tokens, recipe.optim.clip, recipe.model.label_pooling) == (64, 2.0, Pooling.CLS)
    assert recipe.seed == 2


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("optim.steps", "expects key=value"),
        ("=3", "expects key=value"),
        ("optim.stesp=3", "unknown key 'stesp'"),
        ("optim.steps=many", "optim: steps is 'many'"),
        ("name.first=x", "'name' is not a table"),
        ("corpora.share=1", "'corpora' is not a table"),
        ("optim=3", "a table was expected"),
    ],
)
def test_a_wrong_override_is_refused(minimal: Path, assignment: str, message: str) -> None:
    with pytest.raises(OnomaError, match=message):
        load_recipe(minimal, overrides=[assignment])


def test_data_is_found_beside_the_recipe_in_onoma_data_or_by_absolute_path(
    minimal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.jsonl", "a.jsonl.gz", "other/c.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in resolve_data(["*.jsonl*"], minimal)] == ["a.jsonl.gz", "b.jsonl"]
    assert [path.name for path in resolve_data(["*.jsonl*"], minimal, exclude=["a"])] == ["b.jsonl"]
    assert resolve_data([str(tmp_path / "*.gz")], minimal) == [tmp_path / "a.jsonl.gz"]
    assert resolve_data([], minimal) == []
    monkeypatch.setenv("ONOMA_DATA", str(tmp_path / "other"))
    assert resolve_data(["*.jsonl"], minimal) == [tmp_path / "other" / "c.jsonl"]


def test_data_that_is_missing_or_excluded_is_an_error(minimal: Path) -> None:
    with pytest.raises(OnomaError, match=r"'\*\.gz' matches no file .* set ONOMA_DATA"):
        resolve_data(["*.gz"], minimal)
    (minimal.parent / "a.jsonl").touch()
    with pytest.raises(OnomaError, match="excluded or held out"):
        resolve_data(["*.jsonl"], minimal, exclude=["a"])


def test_a_corpus_is_named_by_its_file() -> None:
    assert [corpus_name(Path(name)) for name in ("x/a.jsonl", "a.b.jsonl.gz")] == ["a", "a.b"]


def test_a_backbone_may_lie_in_a_python_package() -> None:
    import tokenizers

    assert resolve_backbone("some/hub-id") == "some/hub-id"
    assert Path(resolve_backbone("package:tokenizers/model")) == Path(tokenizers.__file__).parent / "model"


@pytest.mark.parametrize("package", ["no_such_package", "no.such.package", "", "string"])
def test_a_missing_backbone_package_is_an_error(package: str) -> None:
    with pytest.raises(OnomaError, match="which is missing; pip install it"):
        resolve_backbone(f"package:{package}/model")
