"""Both engines compute the same from the same inputs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.decode.thresholds import Thresholds
from onoma.model import NER, load
from onoma.text.batch import make_batch
from onoma.text.tokenizer import SubwordTokenizer
from onoma.types import Overlap
from onoma.weights import read_weights
from tiny import ner, save_with_graphs, texts, word_texts

LABELS = ["city", "person", "a long label of many words"]


@pytest.fixture(scope="module")
def int8_folder(tiny_folder, tmp_path_factory):
    """The tiny model with its encoder's matrices as int8."""
    weights = read_weights(tiny_folder / "model.safetensors")
    small = weights.quantised(choose=lambda name: not name.startswith("head."))
    model = NER(
        ner().config,
        small,
        ner()._stages.engine,
        SubwordTokenizer.load(tiny_folder / "tokenizer.json"),
        Thresholds(0.5),
    )
    return save_with_graphs(model, tmp_path_factory.mktemp("int8"))


@pytest.fixture(scope="module", params=["tiny_folder", "int8_folder"])
def engines(request):
    """The PyTorch and the onnxruntime engine of one model folder, each as a model."""
    folder = request.getfixturevalue(request.param)
    return load(folder, engine="torch", threads=1), load(folder, engine="onnx", threads=1)


def batch_of(model, texts_):
    windows = [win for text in texts_ for win in model._stages.windower.windows(text)]
    return make_batch(windows, pad_id=model._stages.pad_id) if windows else None


@given(texts_=st.lists(texts(), min_size=1, max_size=4))
def test_encoded_windows_agree_padding_included(engines, texts_):
    batch = batch_of(engines[0], texts_)
    if batch is None:
        return
    expected, found = (model._stages.engine.encode(batch) for model in engines)
    assert found.unit_counts.tolist() == expected.unit_counts.tolist()
    for name in ("start", "end", "residual"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=1e-4, rtol=1e-4)
        assert getattr(found, name).dtype == np.float32


@pytest.mark.parametrize("n_tokens", [1, 2, 64])
@pytest.mark.parametrize("n_windows", [1, 3])
def test_batches_of_any_shape_agree(engines, n_tokens, n_windows):
    text = " ".join(["a"] * max(1, n_tokens - 2))
    batch = batch_of(engines[0], [text] * n_windows)
    expected, found = (model._stages.engine.encode(batch) for model in engines)
    np.testing.assert_allclose(found.residual, expected.residual, atol=1e-4, rtol=1e-4)


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_label_vectors_agree_and_have_unit_length(engines, lengths):
    ids = np.random.default_rng(sum(lengths)).integers(5, 100, (len(lengths), max(lengths)))
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    expected, found = (model._stages.engine.encode_labels(ids * mask, mask) for model in engines)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


@given(text=word_texts() | texts())
def test_probabilities_agree(engines, text):
    everything = {"threshold": 0.0, "overlap": Overlap.NESTED_MULTI_LABEL}
    expected, found = (
        {(ent.start, ent.end, ent.label): ent.score for ent in model.extract(text, LABELS, **everything)}
        for model in engines
    )
    # Spans of nearly equal scores may win in another order; what both keep must agree.
    assert all(found[key] == pytest.approx(expected[key], abs=1e-4) for key in found.keys() & expected.keys())
    assert bool(found) == bool(expected)


def test_decisions_agree(engines):
    text = "Ada Lovelace met the city of London in Paris."
    expected, found = (model.extract(text, LABELS, threshold=0.3) for model in engines)
    assert [(ent.start, ent.end, ent.label) for ent in found] == [(ent.start, ent.end, ent.label) for ent in expected]
    assert len(found) > 0


def test_int8_tables_stay_int8_in_the_graph(int8_folder):
    import onnx

    graph = onnx.load(str(int8_folder / "onnx" / "text.onnx"), load_external_data=False).graph
    kinds = {tensor.name: tensor.data_type for tensor in graph.initializer}
    tables = [name for name in kinds if "word_embeddings" in name and not name.endswith(".scale")]
    assert tables
    assert all(kinds[name] == onnx.TensorProto.INT8 for name in tables)
