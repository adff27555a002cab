"""The model in the package, for real: sentences and a demo text whose gold was written by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

import onoma
from onoma.model import DEFAULT_MODEL

ROOT = Path(__file__).parents[2]
SENTENCES = json.loads((Path(__file__).parent / "sentences.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def ner() -> onoma.NER:
    return onoma.load()


def named(entities) -> list[tuple[str, str]]:
    return [(entity.text, entity.label) for entity in entities]


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda sentence: sentence["text"][:30])
def test_sentences(ner: onoma.NER, sentence: dict) -> None:
    found = ner.extract(sentence["text"], sentence["labels"])
    assert named(found) == [tuple(pair) for pair in sentence["entities"]]
    assert all(sentence["text"][entity.start : entity.end] == entity.text for entity in found)


def test_a_stream_finds_the_same(ner: onoma.NER) -> None:
    texts = [sentence["text"] for sentence in SENTENCES]
    label_sets = [sentence["labels"] for sentence in SENTENCES]
    for sentence, found in zip(SENTENCES, ner.extract_many(texts, label_sets, batch_tokens=64), strict=True):
        assert named(found) == [tuple(pair) for pair in sentence["entities"]]


def test_the_demo_finds_labels_that_no_training_file_contains(ner: onoma.NER) -> None:
    labels = (ROOT / "examples/island.labels.txt").read_text(encoding="utf-8").split("\n")
    labels = [label for label in labels if label]
    gold = json.loads((ROOT / "examples/island.gold.json").read_text(encoding="utf-8"))
    expected = {(entity["start"], entity["end"], entity["label"]) for entity in gold if entity["label"] in labels}
    found = {
        (entity.start, entity.end, entity.label)
        for entity in ner.extract((ROOT / "examples/island.txt").read_text(encoding="utf-8"), labels)
    }
    right = expected & found
    assert len({label for _, _, label in right}) >= 10
    assert 2 * len(right) / (len(expected) + len(found)) >= 0.75


def test_both_engines_agree(ner: onoma.NER) -> None:
    torch_ner = onoma.load(engine="torch")
    for sentence in SENTENCES[:6]:
        one, other = (
            model.extract(sentence["text"], sentence["labels"], threshold=0.01, overlap="nested-multi-label")
            for model in (ner, torch_ner)
        )
        assert named(one) == named(other)
        np.testing.assert_allclose([e.score for e in one], [e.score for e in other], atol=1e-4)


def test_the_shipped_weights_stay_small() -> None:
    assert sum(path.stat().st_size for path in DEFAULT_MODEL.rglob("*") if path.is_file()) < 60e6
