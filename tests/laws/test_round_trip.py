"""Law 6: a saved and loaded model gives the same bits, in float32 and in int8."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given

from onoma.engines.torch import TorchEngine, load_torch_model
from onoma.model import NER, load
from onoma.weights import read_weights
from tiny import ner, save_with_graphs, texts, word_texts

LABELS = ["city", "person"]
EVERYTHING = {"threshold": 0.0, "overlap": "multi-label"}


def quantised(model):
    """The model with its encoder's matrices as int8, run by PyTorch."""
    weights = model._weights.quantised(choose=lambda name: not name.startswith("head."))
    engine = TorchEngine(load_torch_model(model.config, weights), threads=1)
    return NER(model.config, weights, engine, model._tokenizer, model.thresholds)


@pytest.fixture(scope="module", params=["float32", "int8"])
def pair(request, tmp_path_factory):
    """A model, and the same model saved and loaded."""
    model = ner.__wrapped__()  # a fresh one: its label cache must have seen what the loaded model's has seen
    model = model if request.param == "float32" else quantised(model)
    folder = tmp_path_factory.mktemp(request.param)
    model.save(folder)
    return model, load(folder, engine="torch", threads=1), folder


@given(text=word_texts() | texts())
def test_scores_are_equal_to_the_bit(pair, text):
    model, loaded, _ = pair
    assert loaded.extract(text, LABELS, **EVERYTHING) == model.extract(text, LABELS, **EVERYTHING)


def test_label_vectors_are_equal_to_the_bit_and_interchangeable(pair):
    model, loaded, _ = pair
    labels = model.encode_labels({"city": "A large town.", "person": ""})
    np.testing.assert_array_equal(loaded.encode_labels({"city": "A large town.", "person": ""}).vectors, labels.vectors)
    assert loaded.encode_labels(labels) is labels


def test_everything_else_is_equal(pair):
    model, loaded, _ = pair
    assert loaded.config == model.config
    assert loaded.thresholds == model.thresholds
    assert loaded.fingerprint == model.fingerprint


def test_saving_again_writes_the_same_files(pair, tmp_path):
    _, loaded, folder = pair
    loaded.save(tmp_path / "again")
    for file in folder.iterdir():
        assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes(), file.name


def test_onnx_models_are_equal_to_the_bit(pair, tmp_path):
    first = load(save_with_graphs(pair[1], tmp_path / "first"), threads=1)
    second = load(save_with_graphs(first, tmp_path / "second"), threads=1)
    text = "Ada Lovelace met the city of London in Paris."
    assert second.extract(text, LABELS, **EVERYTHING) == first.extract(text, LABELS, **EVERYTHING)


def test_files_are_safetensors_and_json(pair):
    folder = pair[2]
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["config.json", "model.safetensors", "thresholds.json", "tokenizer.json"]
    for name in names:
        if name.endswith(".json"):
            json.loads((folder / name).read_text(encoding="utf-8"))
    assert len(read_weights(folder / "model.safetensors")) > 0


def test_int8_is_smaller_and_close(tmp_path):
    model = ner()
    small = quantised(model)
    model.save(tmp_path / "float32")
    small.save(tmp_path / "int8")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("int8", "float32")]
    assert sizes[0] < 0.5 * sizes[1]
    text = "Ada Lovelace met the city of London in Paris."
    exact, rough = (m.extract(text, LABELS, threshold=0.0, overlap="multi-label") for m in (model, small))
    scores = {(ent.start, ent.end, ent.label): ent.score for ent in exact}
    shared = [(scores[key], ent.score) for ent in rough if (key := (ent.start, ent.end, ent.label)) in scores]
    assert len(shared) > 0
    assert all(abs(score - other) < 0.1 for score, other in shared)
