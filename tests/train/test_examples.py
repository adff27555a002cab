"""Documents become windows with gold unit spans; what cannot be learnt is counted once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onoma.errors import OnomaError
from onoma.text.windows import Windower
from onoma.train.examples import Example, GoldSpan, hide_case, make_examples
from onoma.train.recipe import Annotation
from onoma.train.stream import Corpus
from onoma.train.unlearnable import LearningReport, check_annotations
from onoma.types import Document, Span

MAX_WIDTH = 4


def mark(text: str, *marks: str, label: str = "zork", broader: tuple[str, ...] = ()) -> Document:
    """A document in which the first occurrence of each of `marks` carries the label."""
    spans = [Span(text.index(words), text.index(words) + len(words), label, broader) for words in marks]
    return Document(text, tuple(spans))


def examples(document: Document, windower: Windower, annotation: Annotation = Annotation.PARTIAL) -> list[Example]:
    asked = frozenset({"zork", "blip"})
    return list(make_examples(document, windower, annotation=annotation, asked=asked, max_width=MAX_WIDTH))


def words(document: Document, example: Example, span: GoldSpan | tuple[int, int]) -> str:
    first, last = (span.first, span.last) if isinstance(span, GoldSpan) else span
    return document.text[example.window.starts[first] : example.window.ends[last]]


def test_gold_spans_cover_the_marked_units(windower: Windower) -> None:
    document = mark("go to Ur-Nam, now", "Ur-Nam", "now")
    (example,) = examples(document, windower)
    assert example.gold == (GoldSpan(2, 4, ("zork",)), GoldSpan(6, 6, ("zork",)))
    assert [words(document, example, span) for span in example.gold] == ["Ur-Nam", "now"]
    assert (example.too_wide, example.ignored, example.asked) == ((), (), {"zork", "blip"})


def test_broader_types_follow_the_specific_one_without_repetition(windower: Windower) -> None:
    (example,) = examples(mark("a cat", "cat", label="cat", broader=("animal", "cat")), windower)
    assert example.gold[0].labels == ("cat", "animal")


def test_a_span_off_the_units_is_left_out(windower: Windower) -> None:
    (example,) = examples(mark("a fabric b", "bric", "fab", " b"), windower)
    assert (example.gold, example.too_wide) == ((), ())


def test_a_span_wider_than_the_head_is_kept_apart(windower: Windower) -> None:
    (example,) = examples(mark("a b c d e f", "a b c d", "b c d e f"), windower)
    assert example.gold == (GoldSpan(0, 3, ("zork",)),)
    assert example.too_wide == (GoldSpan(1, 5, ("zork",)),)


LONG = " ".join(f"{char}{char}" for char in "abcdefghijklmnopqrstuvwxyz")


def test_a_long_text_gives_several_windows_and_each_sees_its_gold(windower: Windower) -> None:
    document = mark(LONG, "cc", "hh ii jj kk", "zz")
    found = examples(document, windower)
    assert len(found) > 2
    seen = {words(document, example, span) for example in found for span in example.gold}
    assert seen == {"cc", "hh ii jj kk", "zz"}


def test_each_annotation_is_counted_once_though_windows_overlap(windower: Windower) -> None:
    document = mark(LONG, *LONG.split(), "a b", "hh ii jj kk ll", "ff gg hh ii jj kk ll mm nn oo pp qq rr ss tt")
    twice = sum(len(example.gold) for example in examples(document, windower))
    report = LearningReport()
    report.count("long", document, windower, max_width=MAX_WIDTH)
    assert twice > 26  # some lie in two windows
    assert (report.annotations["long"], report.off_boundary["long"], report.too_wide["long"]) == (29, 1, 2)


def test_the_report_names_only_corpora_with_unlearnable_annotations(windower: Windower) -> None:
    good = Corpus("good", (mark("a b", "b"), mark("", "")), Annotation.PARTIAL, 1.0, frozenset({"zork"}))
    odd = Corpus("odd", (mark("abc", "b"), mark("a b c d e", "a b c d e")), Annotation.SPANS, 1.0, frozenset({"zork"}))
    clean = Corpus("clean", (mark("a b", "b"),), Annotation.PARTIAL, 1.0, frozenset({"zork"}))
    lines = check_annotations([odd, clean], windower, max_width=MAX_WIDTH).summary()
    assert lines == ["odd: 2 annotations, 1 off a unit boundary, 1 wider than the head"]
    assert check_annotations([good], windower, max_width=MAX_WIDTH).off_boundary == {"good": 1}  # an empty span


def test_unmarked_variants_are_ignored_if_annotation_is_open(windower: Windower) -> None:
    document = mark("two Cats: a cat, CATS, dog; as", "Cats", "as")
    (example,) = examples(document, windower, Annotation.OPEN)
    assert sorted(words(document, example, span) for span in example.ignored) == ["CATS", "cat"]
    assert examples(document, windower, Annotation.PARTIAL)[0].ignored == ()
    assert examples(document, windower, Annotation.SPANS)[0].ignored == ()


def test_variants_of_several_words_are_ignored_as_a_whole(windower: Windower) -> None:
    document = mark("Red Fox met red foxes", "Red Fox")
    (example,) = examples(document, windower, Annotation.OPEN)
    assert example.ignored == ()  # "foxes" is no plural by one "s"
    document = mark("Red Dog met red dogs", "Red Dog")
    (example,) = examples(document, windower, Annotation.OPEN)
    assert example.ignored == ((3, 4),)


def test_open_documents_ask_for_their_own_and_their_absent_types(windower: Windower) -> None:
    document = Document("a cat", (Span(2, 5, "cat", ("animal",)),), absent=("river",))
    (example,) = examples(document, windower, Annotation.OPEN)
    assert (example.asked, example.absent) == ({"cat", "animal", "river"}, ("river",))


@pytest.mark.parametrize("text", ["", " \n"])
def test_a_text_without_units_gives_no_example(windower: Windower, text: str) -> None:
    assert examples(Document(text), windower) == []


def test_case_can_be_hidden(windower: Windower) -> None:
    (example,) = examples(Document("NASA 7 Rome x"), windower)
    hidden = hide_case(example.window, lower=1)
    (lower,) = examples(Document("nasa 7 rome x"), windower)
    np.testing.assert_array_equal(hidden.case_ids, lower.window.case_ids)
    assert set(example.window.case_ids.tolist()) != set(hidden.case_ids.tolist())


def test_corpora_without_usable_rows_are_refused(recipe: Path) -> None:
    from onoma.train.recipe import load_recipe
    from onoma.train.stream import load_corpora

    (recipe.parent / "nonsense.jsonl").write_text('{"text": " ", "entities": []}\n', encoding="utf-8")
    with pytest.raises(OnomaError, match="no row with any text"):
        load_corpora(load_recipe(recipe), recipe)
