"""Loading and saving models: either engine, and damage of every kind refused with one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from onoma.errors import OnomaError
from onoma.model import find_model, load
from tiny import ner

TEXT = "Ada Lovelace met the city of London in Paris."
LABELS = ["city", "person"]


@pytest.fixture
def folder(tiny_folder, tmp_path):
    """A copy of the tiny model's folder that a test may damage."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "model"))


def refused(message):
    """Expect an `OnomaError` of one sentence."""
    return pytest.raises(OnomaError, match=rf"\A[^\n]*{message}[^\n]*\Z")


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_folder_is_loaded_by_either_engine(tiny_folder, engine):
    for path in (tiny_folder, str(tiny_folder)):
        found = load(path, engine=engine, threads=1).extract(TEXT, LABELS, threshold=0.3)
        assert [(ent.start, ent.end, ent.label) for ent in found] == [
            (ent.start, ent.end, ent.label) for ent in ner().extract(TEXT, LABELS, threshold=0.3)
        ]


@pytest.mark.parametrize("path", ["no such folder", Path("/nowhere"), "", "a\x00b"])
def test_a_missing_model_is_refused(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if path != "":
        with refused("not a model folder"):
            load(path)
    with refused("does not exist"):
        load(tmp_path)


def test_the_default_model_has_a_name():
    assert find_model(None) == find_model("default")


@pytest.mark.parametrize(
    ("options", "message"), [({"engine": "jax"}, "'onnx' or 'torch'"), ({"threads": 0}, "threads")]
)
def test_bad_ways_to_load_are_refused(tiny_folder, options, message):
    with refused(message):
        load(tiny_folder, **options)


FILES = [
    "config.json", "thresholds.json", "tokenizer.json", "model.safetensors", "onnx/text.onnx", "onnx/labels.onnx",
    "onnx/weights.json",
]  # fmt: skip


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "noise", "a folder"])
def test_a_damaged_folder_is_refused_with_one_sentence(folder, file, damage):
    path = folder / file
    content = path.read_bytes()
    path.unlink()
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(content[: len(content) // 2])
        case "noise":
            path.write_bytes(bytes(range(256)) * 4)
        case "a folder":
            path.mkdir()
    with refused(path.name):
        load(folder, threads=1).extract(TEXT, LABELS)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
@pytest.mark.parametrize("name", ["head.widths", "head.bias", "head.residual.weight", "encoder.text.case.weight"])
@pytest.mark.parametrize("damage", ["missing", "misshapen"])
def test_weights_that_do_not_fit_are_refused(folder, engine, name, damage):
    weights = load_file(folder / "model.safetensors")
    shape = weights.pop(name).shape
    if damage == "misshapen":
        weights[name] = np.zeros((*shape, 2), np.float32)
    save_file(weights, folder / "model.safetensors")
    with refused("(damaged|fetch the model again)"):
        load(folder, engine=engine, threads=1).extract(TEXT, LABELS)


def test_a_tokenizer_of_another_model_is_refused(folder):
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    words = tokenizer["model"]["vocab"]
    words.update({f"new{number}": len(words) + number for number in range(2000)})
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = load(folder, threads=1)
    with refused("tokenizer"):
        model.extract("Ada met new1999", LABELS)
    with refused("tokenizer"):
        model.extract("Ada met Paris", ["new1999"])


def test_unknown_and_wrong_settings_are_refused(folder):
    config = json.loads((folder / "config.json").read_text())
    for changed, message in (({"colour": "blue"}, "colour"), ({"format_version": 2}, "format version 2")):
        (folder / "config.json").write_text(json.dumps(config | changed))
        with refused(message):
            load(folder)


@pytest.mark.parametrize("engine", ["onnx", "torch"])
def test_a_head_of_another_width_is_refused(folder, engine):
    config = json.loads((folder / "config.json").read_text())
    config["head"]["max_width"] = 3
    (folder / "config.json").write_text(json.dumps(config))
    with refused("widths"):
        load(folder, engine=engine, threads=1).extract(TEXT, LABELS)


def test_a_folder_without_graphs_needs_torch(folder):
    shutil.rmtree(folder / "onnx")
    with refused("engine='torch'"):
        load(folder)
    assert len(load(folder, engine="torch", threads=1).extract(TEXT, LABELS, threshold=0.3)) > 0


def test_saving_where_no_folder_can_be_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with refused("cannot be written"):
        ner().save(tmp_path / "file" / "model")
    with refused("cannot be written"):
        ner().save(tmp_path / "file")
