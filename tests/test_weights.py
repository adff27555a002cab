"""Weights on disk: exact in float32, a scale per row in int8, damage refused with one sentence."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save_file

from onoma.errors import OnomaError
from onoma.weights import SCALE, Weights, read_shapes, read_weights

MATRICES = arrays.arrays(
    np.float32, arrays.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-100, 100, width=32)
)


def example():
    random = np.random.default_rng(0)
    return {
        "encoder.matrix": random.normal(0, 1, (4, 3)).astype(np.float32),
        "encoder.vector": np.arange(3, dtype=np.float32),
        "head.matrix": np.ones((2, 3), np.float32),
        "head.bias": np.asarray(-6.0, np.float32),
    }


def is_encoder(name):
    return not name.startswith("head.")


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name])
        assert found[name].shape == expected[name].shape
        assert found[name].dtype == np.float32


def test_float32_comes_back_to_the_bit(tmp_path):
    Weights(example()).save(tmp_path / "model.safetensors")
    loaded = read_weights(tmp_path / "model.safetensors")
    assert_equal({name: loaded[name] for name in sorted(loaded)}, dict(sorted(example().items())))


def test_only_chosen_matrices_are_quantised():
    small = Weights(example()).quantised(choose=is_encoder)
    assert [name for name in small if small.is_int8(name)] == ["encoder.matrix"]
    assert len(small) == len(list(small)) == len(example())
    assert small.stored("encoder.matrix" + SCALE).shape == (4,)
    np.testing.assert_array_equal(small["head.matrix"], example()["head.matrix"])


@given(matrix=MATRICES)
def test_int8_is_off_by_half_a_step_at_most(matrix):
    small = Weights({"matrix": matrix}).quantised(choose=lambda name: True)
    step = np.abs(matrix).max(axis=1, keepdims=True) / 127
    assert (np.abs(small["matrix"] - matrix) <= 0.5001 * step + 1e-12).all()
    assert (np.abs(small.stored("matrix").astype(int)) <= 127).all()


@given(matrix=MATRICES)
def test_quantising_twice_changes_nothing(matrix):
    once = Weights({"matrix": matrix}).quantised(choose=lambda name: True)
    twice = once.quantised(choose=lambda name: True)
    np.testing.assert_array_equal(twice.stored("matrix"), once.stored("matrix"))
    np.testing.assert_allclose(twice["matrix"], once["matrix"], rtol=1e-6)


def test_int8_comes_back_to_the_bit_however_often(tmp_path):
    weights = Weights(example()).quantised(choose=is_encoder)
    for number in range(3):
        weights.save(tmp_path / f"{number}.safetensors")
        loaded = read_weights(tmp_path / f"{number}.safetensors")
        assert_equal({name: loaded[name] for name in sorted(loaded)}, {name: weights[name] for name in sorted(weights)})
        weights = loaded
    contents = {path.read_bytes() for path in tmp_path.iterdir()}
    assert len(contents) == 1


def test_shapes_are_read_without_the_values(tmp_path):
    Weights(example()).quantised(choose=is_encoder).save(tmp_path / "model.safetensors")
    shapes = read_shapes(tmp_path / "model.safetensors")
    assert shapes["encoder.matrix"] == ("I8", 12)
    assert shapes["head.bias"] == ("F32", 1)


def header(entries):
    """A safetensors file with this header and ten bytes of values."""
    encoded = json.dumps(entries).encode()
    return struct.pack("<Q", len(encoded)) + encoded + bytes(10)


DAMAGED = {
    "empty": b"",
    "text": b"these are no weights",
    "a header that ends early": struct.pack("<Q", 1000) + b"{}",
    "values that end early": header({"w": {"dtype": "F32", "shape": [100], "data_offsets": [0, 400]}}),
    "an unknown type": header({"w": {"dtype": "Q7", "shape": [10], "data_offsets": [0, 10]}}),
}


@pytest.mark.parametrize("read", [read_weights, read_shapes])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_one_sentence(read, damage, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(OnomaError, match=r"model\.safetensors is damaged") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_bfloat16_is_refused_where_numpy_lacks_it_and_read_where_a_library_added_it(tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(header({"w": {"dtype": "BF16", "shape": [5], "data_offsets": [0, 10]}}))
    assert read_shapes(path) == {"w": ("BF16", 5)}
    try:
        np.dtype("bfloat16")
    except TypeError:
        with pytest.raises(OnomaError, match="damaged"):
            read_weights(path)
    else:
        np.testing.assert_array_equal(read_weights(path)["w"], np.zeros(5, np.float32))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, -1])
def test_a_file_cut_anywhere_is_one_sentence(size, tmp_path):
    path = tmp_path / "model.safetensors"
    Weights(example()).save(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(OnomaError, match="damaged"):
        read_weights(path)


@pytest.mark.parametrize("read", [read_weights, read_shapes])
def test_a_missing_file_is_one_sentence(read, tmp_path):
    with pytest.raises(OnomaError, match="does not exist"):
        read(tmp_path / "model.safetensors")


@pytest.mark.parametrize(
    "scales", [None, np.ones(3, np.float32), np.ones((4, 1), np.float32), np.asarray(1, np.float32)]
)
def test_an_int8_matrix_needs_one_scale_per_row(scales, tmp_path):
    tensors = {"matrix": np.ones((4, 3), np.int8)} | ({} if scales is None else {"matrix" + SCALE: scales})
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(OnomaError, match="matrix"):
        read_weights(tmp_path / "model.safetensors")
