"""The public API: what it accepts, what it answers, what it refuses with one sentence."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from onoma.errors import OnomaError
from onoma.labels.labelset import LabelSet
from onoma.model import load
from onoma.pipeline import CHUNK_BATCHES
from onoma.types import Entity, Label, Overlap
from tiny import bag_ner, ner, wordpiece

TEXT = "Ada Lovelace met the city of London in Paris."
LABELS = ["city", "person"]


def rows(extraction):
    return [(ent.start, ent.end, ent.label, pytest.approx(ent.score, abs=1e-6)) for ent in extraction]


def refused(message):
    """Expect an `OnomaError` of one sentence."""
    return pytest.raises(OnomaError, match=rf"\A[^\n]*{message}[^\n]*\Z")


def test_every_form_of_labels_means_the_same():
    expected = ner().extract(TEXT, LABELS, threshold=0.3)
    assert len(expected) > 0
    forms = [tuple(LABELS), [Label("city"), "person"], {"city": "", "person": ""}, ner().encode_labels(LABELS)]
    for labels in forms:
        assert rows(ner().extract(TEXT, labels, threshold=0.3)) == rows(expected)


def test_a_definition_changes_the_score():
    plain = ner().encode_labels(["city"])
    defined = ner().encode_labels({"city": "the london"})
    assert not np.allclose(plain.vectors, defined.vectors, atol=1e-3)


def test_an_extraction_is_a_sequence_of_entities():
    extraction = ner().extract(TEXT, LABELS, threshold=0.3)
    assert extraction.text == TEXT
    assert isinstance(extraction[0], Entity)
    assert list(extraction) == list(extraction.entities) == list(extraction[:])
    assert extraction.to_dicts()[0].keys() == {"start", "end", "text", "label", "score"}
    json.dumps(extraction.to_dicts())


def test_label_sets_are_reused_and_encoded_once(monkeypatch):
    labels = ner().encode_labels(LABELS)
    assert isinstance(labels, LabelSet)
    assert labels.vectors.shape == (2, 32)
    np.testing.assert_allclose(np.linalg.norm(labels.vectors, axis=1), 1, atol=1e-5)
    assert ner().encode_labels(labels) is labels
    monkeypatch.setattr(ner()._label_encoder, "vectors", lambda labels: pytest.fail("labels were encoded again"))
    assert len(list(ner().extract_many([TEXT, TEXT], labels))) == 2


def test_a_label_set_of_another_model_is_refused():
    labels = ner(seed=1).encode_labels(LABELS)
    with refused("another model"):
        ner().extract(TEXT, labels)
    with refused("another model"):
        list(ner().extract_many([TEXT], [labels]))


def test_texts_may_have_their_own_labels():
    sets = [["city"], {"person": "the ada"}, ner().encode_labels(LABELS), [Label("ada", threshold=0.1)]]
    found = list(ner().extract_many([TEXT] * 4, sets, threshold=0.2))
    for extraction, labels in zip(found, sets, strict=True):
        assert rows(extraction) == rows(ner().extract(TEXT, labels, threshold=0.2))
    assert {ent.label for ent in found[0]} <= {"city"}


@pytest.mark.parametrize("n_sets", [0, 1, 3])
def test_as_many_label_sets_as_texts(n_sets):
    with refused("label set"):
        list(ner().extract_many([TEXT, TEXT], iter([LABELS] * n_sets)))


def test_answers_come_in_order_and_one_for_each_text():
    texts = ["", "Ada", " ", "x" * 300, TEXT * 20, "\ud83d", "Paris", ""]
    found = list(ner().extract_many(iter(texts), LABELS, batch_tokens=40))
    assert [extraction.text for extraction in found] == texts
    assert list(ner().extract_many([], LABELS)) == []


@pytest.mark.parametrize("text", ["Ada met Paris.", "", TEXT * 4])
@pytest.mark.parametrize("first", ["", "Ada"])
def test_streams_are_read_as_answers_are_taken(text, first):
    taken = 0

    def endless():
        nonlocal taken
        for text_ in itertools.chain([first], itertools.repeat(text)):
            taken += 1
            assert taken <= 5000, "the stream is read without end"
            yield text_

    found = bag_ner().extract_many(endless(), LABELS, batch_tokens=20)
    assert taken == 0
    for _ in itertools.islice(found, 400):
        pass
    assert taken <= 400 + CHUNK_BATCHES * 20


def test_labels_are_checked_before_any_text_is_read():
    with refused("labels is empty"):
        ner().extract_many(iter([TEXT]), [])


def test_thresholds_of_call_label_and_model():
    labels = [Label("city"), Label("person", threshold=0.7), Label("ada", threshold=0.2), Label("enzyme")]
    report = ner().extract(TEXT, labels, threshold={"ada": 0.9, "enzyme": 0.1}).report
    assert report.thresholds == {"call": 2, "label": 1, "model": 1}
    assert ner().extract(TEXT, labels, threshold=0.4).report.thresholds == {"call": 4}
    assert ner().extract(TEXT, LABELS).report.thresholds == {"model": 2}


def test_thresholds_decide():
    model = ner(max_width=1)
    everything = model.extract(TEXT, LABELS, threshold=0.0, overlap="multi-label")
    limits = {"city": sorted(ent.score for ent in everything if ent.label == "city")[3], "person": 1.0}
    found = model.extract(TEXT, LABELS, threshold=limits, overlap="multi-label")
    assert rows(found) == rows(ent for ent in everything if ent.score >= limits[ent.label])
    own = [Label(name, threshold=limit) for name, limit in limits.items()]
    assert rows(model.extract(TEXT, own, overlap="multi-label")) == rows(found)
    of_model = {"city": 0.4, "person": 0.5}
    found = model.extract(TEXT, LABELS, overlap="multi-label")
    assert rows(found) == rows(ent for ent in everything if ent.score >= of_model[ent.label])


@pytest.mark.parametrize("overlap", [*Overlap, *(mode.value for mode in Overlap)])
def test_every_overlap_mode_by_name_or_member(overlap):
    assert rows(ner().extract(TEXT, LABELS, overlap=overlap)) == rows(
        ner().extract(TEXT, LABELS, overlap=Overlap(overlap))
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": []}, "empty"),
        ({"labels": {}}, "empty"),
        ({"labels": "person"}, "list of label names"),
        ({"labels": None}, "NoneType"),
        ({"labels": {"city", "person"}}, "list of"),
        ({"labels": (name for name in LABELS)}, "list of"),
        ({"labels": ["city", ""]}, "label 1"),
        ({"labels": ["city", 7]}, "label 1"),
        ({"labels": [Label("city"), Label("city", "A town.")]}, "twice"),
        ({"labels": ["zq " * 200]}, "shorten"),
        ({"labels": [Label("city", threshold=2.0)]}, "0 to 1"),
        ({"threshold": 1.5}, "0 to 1"),
        ({"threshold": -0.1}, "0 to 1"),
        ({"threshold": float("nan")}, "0 to 1"),
        ({"threshold": "0.5"}, "0 to 1"),
        ({"threshold": True}, "0 to 1"),
        ({"threshold": {"city": 7}}, "city"),
        ({"threshold": {"town": 0.5}}, "town"),
        ({"overlap": "none"}, "overlap"),
        ({"overlap": None}, "overlap"),
        ({"overlap": ["flat"]}, "overlap"),
        ({"text": None}, "NoneType"),
        ({"text": b"Ada"}, "bytes"),
        ({"text": ["Ada"]}, "list"),
    ],
)
def test_bad_arguments_are_refused_with_one_sentence(arguments, message):
    with refused(message):
        ner().extract(**({"text": TEXT, "labels": LABELS} | arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"texts": "Ada"}, "single string"),
        ({"texts": ["Ada", None]}, "text 1"),
        ({"batch_tokens": 0}, "batch_tokens"),
        ({"batch_tokens": -5}, "batch_tokens"),
    ],
)
def test_bad_streams_are_refused_with_one_sentence(arguments, message):
    with refused(message):
        list(ner().extract_many(**({"texts": [TEXT], "labels": LABELS} | arguments)))


def test_ten_thousand_labels_are_answered():
    names = [f"label {number}" for number in range(10_000)]
    extraction = ner().extract(TEXT, names, threshold=0.0)
    assert extraction.report.thresholds == {"call": 10_000}
    assert {ent.label for ent in extraction} <= set(names)


def test_the_mention_floor_only_removes():
    everything = ner(max_width=1, seed=4).extract(TEXT, LABELS, threshold=0.0, overlap="multi-label")
    floored = ner(max_width=1, seed=4, mention_floor=0.5).extract(TEXT, LABELS, threshold=0.0, overlap="multi-label")
    assert 0 < len(floored) < len(everything)
    assert {(ent.start, ent.label) for ent in floored} < {(ent.start, ent.label) for ent in everything}


def test_markers_in_a_text_are_text():
    text = "Ada [SEP] met [CLS] Paris [PAD] [UNK]"
    extraction = ner(max_width=1).extract(text, LABELS, threshold=0.0)
    assert [ent.text for ent in extraction] == text.replace("[", "[ ").replace("]", " ]").split()
    assert extraction.report.unhandled == {}
    assert wordpiece().tokenize("[SEP]").ids.tolist() == wordpiece().tokenize("[ SEP ]").ids.tolist()


def test_what_was_read_before_a_bad_row_is_answered() -> None:
    def rows():
        yield from ("ada", "london")
        raise OnomaError("line 3 is bad.")

    found = ner().extract_many(rows(), ["person"], threshold=0.0)
    assert [next(found).text, next(found).text] == ["ada", "london"]
    with pytest.raises(OnomaError, match="line 3"):
        next(found)


@pytest.mark.parametrize("name", ["", 3, "no such folder"])
def test_a_model_that_is_no_folder(name) -> None:
    with pytest.raises(OnomaError, match="not a model folder"):
        load(name)


@pytest.mark.parametrize("name", ["per\0son", "per\nson", "p\ud800"])
def test_labels_with_control_characters_are_refused(name) -> None:
    with pytest.raises(OnomaError, match="control character"):
        ner().extract("ada", [name])
