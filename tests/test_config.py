"""The configuration is read strictly: what is unknown, missing, mistyped or impossible is named."""

from __future__ import annotations

import json

import pytest

from onoma.config import EncoderConfig, HeadConfig, ModelConfig, TextConfig, from_dict, read_json, to_dict
from onoma.errors import OnomaError
from tiny import model_config


def changed(*path, **values):
    """The tiny configuration as a dict, with values set in the table at `path`."""
    config = json.loads(json.dumps(to_dict(model_config())))
    table = config
    for key in path:
        table = table[key]
    table.update(values)
    return config


def test_saved_and_loaded_is_equal(tmp_path):
    model_config().save(tmp_path / "config.json")
    assert ModelConfig.load(tmp_path / "config.json") == model_config()


def test_a_dict_of_plain_types_and_back():
    plain = to_dict(model_config())
    assert plain["text"]["units"] == "word"
    assert from_dict(ModelConfig, plain, where="test") == model_config()


@pytest.mark.parametrize("path", [(), ("text",), ("encoder",), ("head",)])
def test_an_unknown_key_is_named(path):
    with pytest.raises(OnomaError, match=r"'max_tokns'; known keys are"):
        from_dict(ModelConfig, changed(*path, max_tokns=1), where="test")


@pytest.mark.parametrize(
    ("path", "key"),
    [((), "name"), ((), "encoder"), ((), "head"), (("head",), "width"), (("encoder",), "text_backbone")],
)
def test_a_missing_key_is_named(path, key):
    config = changed()
    table = config
    for step in path:
        table = table[step]
    del table[key]
    with pytest.raises(OnomaError, match=f"lacks the key '{key}'"):
        from_dict(ModelConfig, config, where="test")


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "name", 7),
        ((), "text", "word"),
        ((), "head", None),
        (("text",), "units", "sentence"),
        (("text",), "max_tokens", "64"),
        (("text",), "max_tokens", 64.5),
        (("text",), "max_tokens", True),
        (("text",), "lowercase", 1),
        (("encoder",), "text_backbone", "bert"),
        (("encoder",), "label_pooling", "max"),
        (("encoder",), "template", None),
        (("head",), "mention_floor", "0.1"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(path, key, value):
    with pytest.raises(OnomaError, match=key):
        from_dict(ModelConfig, changed(*path, **{key: value}), where="test")


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        ((), "format_version", 99),
        (("text",), "max_tokens", 8),
        (("text",), "overlap_units", 7),
        (("head",), "width", 0),
        (("head",), "inner", -1),
        (("head",), "max_width", 0),
        (("head",), "mention_floor", 1.0),
        (("head",), "mention_floor", -0.1),
        (("encoder",), "max_label_tokens", 0),
        (("encoder",), "template", "{name}: {meaning}"),
        (("encoder",), "template", "{name"),
        (("encoder",), "template", "{definition}"),
        (("encoder",), "template", "{}: {}"),
    ],
)
def test_an_impossible_value_is_refused(path, key, value):
    with pytest.raises(OnomaError, match=key.replace("_", "[_ ]")) as caught:
        from_dict(ModelConfig, changed(*path, **{key: value}), where="test")
    assert "\n" not in str(caught.value)


def test_whole_numbers_may_stand_for_fractions():
    assert from_dict(HeadConfig, {"width": 8, "mention_floor": 0}, where="test").mention_floor == 0.0


def test_defaults_fit_each_other():
    ModelConfig(name="x", encoder=EncoderConfig(text_backbone={}, label_backbone={}), head=HeadConfig(width=8))
    assert TextConfig().overlap_units >= 2 * HeadConfig(width=8).max_width


@pytest.mark.parametrize("content", ["", "{", "[1, 2]", "7", "null", '{"a": 1} x', "\ufeff{}"])
def test_what_is_no_json_object_is_refused(content, tmp_path):
    (tmp_path / "config.json").write_text(content, encoding="utf-8")
    with pytest.raises(OnomaError, match=r"config\.json"):
        read_json(tmp_path / "config.json")


def test_bytes_that_are_no_utf8_are_refused(tmp_path):
    (tmp_path / "config.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(OnomaError, match="not valid JSON"):
        read_json(tmp_path / "config.json")


def test_deep_nesting_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(OnomaError, match=r"config\.json"):
        read_json(tmp_path / "config.json")


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    with pytest.raises(OnomaError, match="does not exist"):
        read_json(tmp_path / "config.json")
    (tmp_path / "config.json").mkdir()
    with pytest.raises(OnomaError, match=r"config\.json"):
        read_json(tmp_path / "config.json")
