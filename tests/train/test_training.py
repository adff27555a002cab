"""End to end: a tiny model learns nonsense labels, and the folder it leaves loads with either engine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import onoma
from onoma.evaluate.metrics import score_documents
from onoma.text.formats import read_documents
from onoma.train.run import train

LABELS = ["zork", "blip"]
STEPS = 150


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `trained_once` fills; shared by the tests of this module."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture
def folder(recipe: Path, trained: Path) -> Iterator[Path]:
    """A model trained on twenty sentences, trained when it is first asked for."""
    corpus = trained / "nonsense.jsonl"
    if not corpus.exists():
        odd = {"text": "the fabric was blue", "entities": [{"start": 4, "end": 7, "label": "zork"}]}
        (recipe.parent / "odd.jsonl").write_text(json.dumps(odd) + "\n", encoding="utf-8")
        text = recipe.read_text(encoding="utf-8").replace('name = "tiny"', 'name = "tiny"\nvalidate = ["non*.jsonl"]')
        text += '[[corpora]]\npath = "odd.jsonl"\nannotation = "spans"\nshare = 0.02\n'
        recipe.write_text(text, encoding="utf-8")
        train(recipe, output=trained / "model", overrides=[f"optim.steps={STEPS}", "validate_every=100"])
        shutil.copyfile(recipe.parent / "nonsense.jsonl", corpus)
    yield trained / "model"


def f1(ner: onoma.NER, corpus: Path) -> float:
    documents = list(read_documents(corpus))
    found = ner.extract_many((row.text for row in documents), LABELS)
    return score_documents(
        [{(span.start, span.end, span.label) for span in row.spans} for row in documents],
        [{(ent.start, ent.end, ent.label) for ent in extraction} for extraction in found],
        resamples=0,
    ).micro.f1


def test_a_tiny_model_learns_nonsense_labels(folder: Path, trained: Path) -> None:
    assert f1(onoma.load(folder, engine="torch"), trained / "nonsense.jsonl") == 1.0


def test_the_default_engine_runs_the_trained_folder_with_equal_scores(folder: Path, trained: Path) -> None:
    onnx, reference = onoma.load(folder), onoma.load(folder, engine="torch")
    assert f1(onnx, trained / "nonsense.jsonl") == 1.0
    for row in read_documents(trained / "nonsense.jsonl"):
        one, other = (ner.extract(row.text, LABELS, threshold=0.01) for ner in (onnx, reference))
        assert [(ent.start, ent.end, ent.label) for ent in one] == [(ent.start, ent.end, ent.label) for ent in other]
        assert [ent.score for ent in one] == pytest.approx([ent.score for ent in other], abs=1e-4)


def test_the_loss_falls_and_validation_is_logged(folder: Path) -> None:
    rows = [json.loads(row) for row in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < 0.2 * losses[0]
    scores = [(row["step"], row["f1/nonsense"], row["f1/mean"]) for row in rows if "f1/mean" in row]
    assert [step for step, _, _ in scores] == [100, STEPS]
    assert scores[-1][1:] == (1.0, 1.0)


def test_what_cannot_be_learnt_is_on_record(folder: Path) -> None:
    report = (folder / "unlearnable.txt").read_text(encoding="utf-8")
    assert report == "odd: 1 annotations, 1 off a unit boundary, 0 wider than the head\n"


def test_the_folder_holds_the_model_its_record_and_one_checkpoint(folder: Path) -> None:
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    model = {"config.json", "model.safetensors", "tokenizer.json", "thresholds.json"}
    graphs = {"onnx/text.onnx", "onnx/labels.onnx", "onnx/weights.json"}
    assert files == model | graphs | {"checkpoint.pt", "metrics.jsonl", "unlearnable.txt"}


def test_the_folder_needs_nothing_of_the_run_to_be_used(folder: Path, trained: Path, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(folder, moved, ignore=shutil.ignore_patterns("checkpoint.pt", "metrics.jsonl", "unlearnable.txt"))
    assert f1(onoma.load(moved), trained / "nonsense.jsonl") == 1.0
    assert os.listdir(moved / "onnx")


def test_the_model_tells_labels_apart_that_stand_alone(folder: Path) -> None:
    ner = onoma.load(folder)
    found = {label: [ent.text for ent in ner.extract("Mira has a quen.", [label])] for label in LABELS}
    assert found == {"zork": ["Mira"], "blip": ["quen"]}


def test_training_can_start_from_a_model_and_fits_its_threshold_on_held_out_files(
    folder: Path, recipe: Path, trained: Path, tmp_path: Path
) -> None:
    shutil.copyfile(trained / "nonsense.jsonl", recipe.parent / "out.jsonl")
    overrides = [f"model.initial={folder}", "optim.steps=1", "optim.head_lr=0.0", 'held_out=["out.jsonl"]']
    train(recipe, output=tmp_path / "next", overrides=[*overrides, "optim.backbone_lr=0.0", "optim.label_lr=0.0"])
    ner = onoma.load(tmp_path / "next", engine="torch")
    assert f1(ner, trained / "nonsense.jsonl") == 1.0
    assert "out" in ner.thresholds.fitted_on
