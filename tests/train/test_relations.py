"""Types that may describe one thing are never each other's negatives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from onoma.train.relations import TypeRelations
from onoma.types import Document, FloatArray, Span

NAMES = ["cat", "feline", "animal", "living thing", "river", "wild thing", "stream", "novel"]
DOCUMENTS = [
    Document("x", (Span(0, 1, "cat", ("feline",)), Span(0, 1, "feline", ("animal",)))),
    Document("x", (Span(0, 1, "animal", ("living thing",)), Span(0, 1, "river")), absent=("novel", "wild thing")),
    Document("x", (Span(0, 1, "stream"),)),
]


def encode(names: Sequence[str]) -> FloatArray:
    """One axis for each name, but `river` and `stream` are close."""
    vectors = np.eye(len(NAMES), dtype=np.float32)[[NAMES.index(name) for name in names]]
    for row, name in enumerate(names):
        if name == "stream":
            vectors[row] = 0.8 * vectors[row] + 0.6 * np.eye(len(NAMES), dtype=np.float32)[NAMES.index("river")]
            vectors[row, NAMES.index("river")] = 0.61
    return vectors


@pytest.fixture
def relations() -> TypeRelations:
    return TypeRelations(DOCUMENTS, encode)


def test_it_knows_marked_broader_and_absent_types(relations: TypeRelations) -> None:
    assert all(name in relations for name in NAMES)
    assert "person" not in relations


@pytest.mark.parametrize(
    ("one", "other", "related"),
    [
        ("cat", "cat", True),
        ("cat", "feline", True),
        ("cat", "living thing", True),  # over two steps, marked in different texts
        ("living thing", "wild thing", True),  # the same last word
        ("river", "stream", True),  # close vectors
        ("cat", "river", False),
        ("cat", "novel", False),
        ("stream", "cat", False),
    ],
)
def test_relatedness(relations: TypeRelations, one: str, other: str, related: bool) -> None:
    assert relations.related([one], [other]).tolist() == [[related]]
    assert relations.related([other], [one]).tolist() == [[related]]


def test_unknown_types_are_related_to_everything(relations: TypeRelations) -> None:
    assert relations.related(["cat", "river"], ["person", "cat", "novel"]).tolist() == [
        [True, True, False],
        [True, False, False],
    ]


def test_shapes_without_types(relations: TypeRelations) -> None:
    assert relations.related([], NAMES).shape == (0, len(NAMES))
    assert relations.related(["cat"], []).shape == (1, 0)


def test_a_circle_of_broader_types_ends() -> None:
    circle = [Document("x", (Span(0, 1, "cat", ("animal",)), Span(0, 1, "animal", ("cat",))))]
    assert TypeRelations(circle, encode).related(["cat"], ["animal"]).all()
