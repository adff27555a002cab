"""The loss is masked to what the annotation can vouch for: one test for each rule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from onoma.train.examples import Example, GoldSpan
from onoma.train.recipe import Annotation
from onoma.train.relations import TypeRelations
from onoma.train.targets import VAGUE_WEIGHT, Targets, choose_labels, is_vague, make_targets
from onoma.types import Document, FloatArray, IntArray, Span, Window

MAX_WIDTH = 3
OPEN_TYPES = ("person", "singer", "city", "river", "legal term")


def window(n_units: int) -> Window:
    """A window with one sub-token per unit; targets depend on the number of units alone."""
    units: IntArray = np.arange(n_units, dtype=np.int64)
    return Window(0, units, units + 1, units, units, units, units + 1, (0, n_units))


def example(
    *gold: tuple[int, int, str],
    annotation: Annotation,
    n_units: int = 6,
    asked: Sequence[str] = (),
    absent: Sequence[str] = (),
    ignored: Sequence[tuple[int, int]] = (),
    too_wide: Sequence[GoldSpan] = (),
) -> Example:
    """An example; labels of a gold span are separated by commas, the most specific one first."""
    spans = tuple(GoldSpan(first, last, tuple(labels.split(","))) for first, last, labels in gold)
    own = {label for span in (*spans, *too_wide) for label in span.labels} | set(absent)
    known = own if annotation is Annotation.OPEN else set(asked)
    return Example(window(n_units), spans, tuple(too_wide), tuple(ignored), annotation, frozenset(known), tuple(absent))


@pytest.fixture(scope="module")
def relations() -> TypeRelations:
    """A `singer` is a `person`; the other open types are unrelated."""
    row = Document("x", tuple(Span(0, 1, name, ("person",) if name == "singer" else ()) for name in OPEN_TYPES))

    def encode(names: Sequence[str]) -> FloatArray:
        return np.eye(len(names), dtype=np.float32)

    return TypeRelations([row], encode)


def targets(
    row: Example, labels: Sequence[str], relations: TypeRelations | None = None, *, n_units: int = 6
) -> Targets:
    return make_targets([row], tuple(labels), relations, n_units=n_units, max_width=MAX_WIDTH)


def weighted(made: Targets, column: int) -> set[tuple[int, int]]:
    """The spans (first, last) that teach something about a label."""
    return {(int(first), int(first + width)) for first, width in np.argwhere(made.weight[0, :, :, column])}


def spans(n_units: int) -> set[tuple[int, int]]:
    return {(i, j) for i in range(n_units) for j in range(i, min(n_units, i + MAX_WIDTH))}


def inside(first: int, last: int) -> set[tuple[int, int]]:
    """The spans strictly inside another one that the head can score."""
    return {(i, j) for i, j in spans(last + 1) if i >= first} - {(first, last)}


@pytest.mark.parametrize("annotation", Annotation)
def test_gold_is_positive_whatever_was_asked(annotation: Annotation, relations: TypeRelations) -> None:
    row = example((1, 2, "city"), (4, 4, "singer,person"), annotation=annotation)
    made = targets(row, ["person", "city", "singer"], relations)
    found = {(int(i), int(k), int(column)) for _, i, k, column in np.argwhere(made.target)}
    assert found == {(1, 1, 1), (4, 0, 0), (4, 0, 2)}
    assert all(made.weight[0, i, k, column] == 1.0 for i, k, column in found)
    assert {(int(i), int(k)) for _, i, k in np.argwhere(made.mention_target)} == {(1, 1), (4, 0)}


@pytest.mark.parametrize("annotation", Annotation)
def test_gold_whose_label_has_no_column_is_still_a_mention(annotation: Annotation, relations: TypeRelations) -> None:
    made = targets(example((1, 2, "city"), annotation=annotation), ["river"], relations)
    assert not made.target.any()
    assert made.mention_target[0, 1, 1] == made.mention_weight[0, 1, 1] == 1.0


@pytest.mark.parametrize("annotation", Annotation)
def test_nothing_beyond_the_last_unit_counts(annotation: Annotation, relations: TypeRelations) -> None:
    row = example((2, 3, "city"), annotation=annotation, n_units=4, asked=["city", "river"])
    made = targets(row, ["city", "river"], relations)
    assert weighted(made, 0) | weighted(made, 1) <= spans(4)
    assert {(int(i), int(i + k)) for i, k in np.argwhere(made.mention_weight[0])} <= spans(4)


def test_a_batch_of_short_windows_has_fewer_widths() -> None:
    made = targets(example((0, 1, "city"), annotation=Annotation.PARTIAL, n_units=2), ["city"], n_units=2)
    assert made.target.shape == (1, 2, 2, 1)


def test_partial_unmarked_spans_are_negatives_for_the_asked_labels_alone() -> None:
    row = example((1, 1, "city"), annotation=Annotation.PARTIAL, asked=["city", "river"])
    made = targets(row, ["city", "river", "person"])
    assert [weighted(made, column) for column in range(3)] == [spans(6), spans(6), set()]


def test_partial_only_spans_that_touch_a_mention_teach_what_a_mention_is() -> None:
    made = targets(example((1, 1, "city"), annotation=Annotation.PARTIAL, asked=["city"]), ["city"])
    taught = {(int(i), int(i + k)) for i, k in np.argwhere(made.mention_weight[0])}
    assert taught == {(i, j) for i, j in spans(6) if i <= 1 <= j}


def test_spans_only_spans_that_touch_a_marked_one_teach() -> None:
    row = example((1, 2, "city"), annotation=Annotation.SPANS, asked=["city", "river"])
    made = targets(row, ["city", "river", "person"])
    touching = {(i, j) for i, j in spans(6) if i <= 2 and j >= 1}
    assert [weighted(made, column) for column in range(3)] == [touching, touching, set()]
    assert {(int(i), int(i + k)) for i, k in np.argwhere(made.mention_weight[0])} == touching


def test_spans_without_marks_teach_nothing() -> None:
    made = targets(example(annotation=Annotation.SPANS, asked=["city"]), ["city"])
    assert not made.weight.any() and not made.mention_weight.any()


def test_open_unrelated_types_of_other_passages_are_negatives(relations: TypeRelations) -> None:
    row = example((0, 0, "singer,person"), annotation=Annotation.OPEN)
    made = targets(row, ["singer", "person", "city", "river"], relations)
    assert [weighted(made, column) for column in range(4)] == [spans(6)] * 4
    assert made.target[..., 2:].sum() == 0


def test_open_related_types_of_other_passages_are_no_negatives(relations: TypeRelations) -> None:
    made = targets(example((0, 0, "person"), annotation=Annotation.OPEN), ["singer"], relations)
    assert weighted(made, 0) == set()


def test_open_labels_of_other_corpora_are_no_negatives(relations: TypeRelations) -> None:
    made = targets(example((0, 0, "city"), annotation=Annotation.OPEN), ["city", "weapon"], relations)
    assert weighted(made, 1) == set()


def test_open_absent_types_are_negatives_even_if_related(relations: TypeRelations) -> None:
    row = example((0, 0, "person"), annotation=Annotation.OPEN, absent=["singer"])
    made = targets(row, ["singer"], relations)
    assert weighted(made, 0) == spans(6) - {(0, 0)}


def test_open_without_marks_only_absent_types_are_negatives(relations: TypeRelations) -> None:
    made = targets(example(annotation=Annotation.OPEN, absent=["city"]), ["city", "river"], relations)
    assert [weighted(made, column) for column in range(2)] == [spans(6), set()]


def test_open_a_related_type_is_silent_on_the_marked_span_itself(relations: TypeRelations) -> None:
    row = example((0, 0, "singer"), (3, 3, "person"), annotation=Annotation.OPEN)
    made = targets(row, ["singer", "person"], relations)
    assert weighted(made, 0) == spans(6) - {(3, 3)}
    assert weighted(made, 1) == spans(6) - {(0, 0)}


def test_open_every_unmarked_span_teaches_what_a_mention_is(relations: TypeRelations) -> None:
    made = targets(example((0, 0, "city"), annotation=Annotation.OPEN), ["city"], relations)
    assert {(int(i), int(i + k)) for i, k in np.argwhere(made.mention_weight[0])} == spans(6)


def test_open_spans_inside_a_marked_one_are_negatives_for_its_own_labels_alone(relations: TypeRelations) -> None:
    made = targets(example((1, 3, "city"), annotation=Annotation.OPEN, absent=["river"]), ["city", "river"], relations)
    assert weighted(made, 0) == spans(6)
    assert weighted(made, 1) == spans(6) - inside(1, 3)


def test_open_a_marked_span_inside_a_marked_one_is_positive(relations: TypeRelations) -> None:
    row = example((1, 3, "river"), (2, 2, "city"), annotation=Annotation.OPEN)
    made = targets(row, ["city", "river"], relations)
    assert made.target[0, 2, 0].tolist() == [1.0, 0.0]
    assert made.weight[0, 2, 0].tolist() == [1.0, 1.0]
    assert weighted(made, 0) == spans(6) - inside(1, 3) | {(2, 2)}


@pytest.mark.parametrize("annotation", [Annotation.PARTIAL, Annotation.SPANS])
def test_elsewhere_spans_inside_a_marked_one_are_negatives(annotation: Annotation) -> None:
    made = targets(example((1, 3, "city"), annotation=annotation, asked=["city", "river"]), ["city", "river"])
    assert inside(1, 3) <= weighted(made, 0) & weighted(made, 1)


@pytest.mark.parametrize("annotation", Annotation)
def test_unmarked_variants_teach_nothing(annotation: Annotation, relations: TypeRelations) -> None:
    row = example((0, 0, "city"), annotation=annotation, asked=["city", "river"], ignored=[(2, 3), (0, 5)])
    made = targets(row, ["city", "river"], relations)
    assert (2, 3) not in weighted(made, 0) | weighted(made, 1)
    assert made.mention_weight[0, 2, 1] == 0.0


@pytest.mark.parametrize("annotation", Annotation)
def test_nothing_inside_a_span_that_is_too_wide_is_a_negative_for_its_labels(
    annotation: Annotation, relations: TypeRelations
) -> None:
    wide = GoldSpan(1, 5, ("city",))
    row = example(annotation=annotation, asked=["city", "river"], absent=["river"], too_wide=[wide])
    made = targets(row, ["city", "river"], relations)
    assert not weighted(made, 0) & inside(1, 5)
    assert inside(1, 5) <= weighted(made, 1)
    assert not any(made.mention_weight[0, i, j - i] for i, j in inside(1, 5))
    assert not made.target.any() and not made.mention_target.any()


def test_gold_inside_a_span_that_is_too_wide_is_positive(relations: TypeRelations) -> None:
    row = example((2, 2, "city"), annotation=Annotation.OPEN, too_wide=[GoldSpan(1, 5, ("city",))])
    made = targets(row, ["city"], relations)
    assert made.target[0, 2, 0, 0] == made.weight[0, 2, 0, 0] == 1.0


@pytest.mark.parametrize(
    ("label", "vague"),
    [("type of wood", True), ("legal term", True), ("art concept", True), ("term", False), ("city", False)],
)
def test_vague_types(label: str, vague: bool) -> None:
    assert is_vague(label) is vague


def test_positives_of_vague_types_weigh_less(relations: TypeRelations) -> None:
    made = targets(example((1, 1, "legal term"), annotation=Annotation.OPEN), ["legal term"], relations)
    assert made.weight[0, 1, 0, 0] == np.float32(VAGUE_WEIGHT)
    assert made.weight[0, 0, 0, 0] == 1.0


def test_rows_of_a_batch_do_not_mix(relations: TypeRelations) -> None:
    rows = [
        example((1, 1, "city"), annotation=Annotation.PARTIAL, asked=["city"]),
        example((0, 2, "river"), annotation=Annotation.OPEN, n_units=4),
    ]
    together = make_targets(rows, ("city", "river"), relations, n_units=6, max_width=MAX_WIDTH)
    for number, row in enumerate(rows):
        alone = targets(row, ["city", "river"], relations)
        for name in ("target", "weight", "mention_target", "mention_weight"):
            np.testing.assert_array_equal(getattr(together, name)[number], getattr(alone, name)[0])


def choose(rows: Sequence[Example], *, negatives: int = 2, max_labels: int = 8, seed: int = 0) -> tuple[str, ...]:
    return choose_labels(rows, negatives=negatives, max_labels=max_labels, rng=np.random.default_rng(seed))


def test_columns_are_positives_and_sampled_negatives() -> None:
    partial = example((0, 0, "city"), annotation=Annotation.PARTIAL, asked=["city", "river", "person", "film"])
    open_row = example((0, 0, "singer"), annotation=Annotation.OPEN, absent=["ship"])
    labels = choose([partial, open_row])
    assert len(set(labels)) == len(labels) == 5
    assert {"city", "singer", "ship"} < set(labels) <= {"city", "singer", "ship", "river", "person", "film"}
    assert labels == choose([partial, open_row])
    assert len({frozenset(choose([partial, open_row], seed=seed)) for seed in range(20)}) > 1


def test_a_quarter_of_the_columns_is_kept_for_negatives() -> None:
    many = [(0, 0, f"type {number}") for number in range(40)]
    negatives = [f"other {number}" for number in range(40)]
    asked = [*negatives, *(label for _, _, label in many)]
    labels = choose([example(*many, annotation=Annotation.PARTIAL, asked=asked)], negatives=40, max_labels=12)
    assert len(labels) == 12
    assert sum(label.startswith("other") for label in labels) == 3


def test_positives_fill_what_negatives_leave() -> None:
    many = [(0, 0, f"type {number}") for number in range(40)]
    labels = choose([example(*many, annotation=Annotation.OPEN, absent=["ship"])], max_labels=12)
    assert len(labels) == 12 and "ship" in labels


def test_a_batch_without_any_type_has_no_columns() -> None:
    assert choose([example(annotation=Annotation.OPEN)]) == ()
    made = targets(example(annotation=Annotation.PARTIAL), [])
    assert made.target.shape == (1, 6, MAX_WIDTH, 0)


def test_a_mention_is_ranked_above_its_broader_types(relations: TypeRelations) -> None:
    """Whether the mention itself lists the broader type or only another mention of its type did."""
    row = example((1, 2, "singer"), (4, 4, "city"), annotation=Annotation.OPEN)
    made = targets(row, ("city", "person", "singer"), relations)
    assert made.narrower.tolist() == [[0, 1, 1, 2, 1]]


def test_types_marked_as_broader_than_each_other_are_not_ranked() -> None:
    spans = (Span(0, 1, "place", ("location",)), Span(0, 1, "location", ("place",)))
    mutual = TypeRelations([Document("x", spans)], lambda names: np.eye(len(names), dtype=np.float32))
    assert mutual.broader("place") == frozenset()
    assert mutual.broader("unknown") == frozenset()
