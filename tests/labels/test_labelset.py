"""Labels as users write them: what is accepted, what it means, and what is refused with one sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.errors import OnomaError
from onoma.labels.labelset import label_text, parse_labels
from onoma.types import Label

TEMPLATE = "{name}: {definition}"
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda name: any(char.isalnum() for char in name)
)


@given(names=st.lists(NAMES, min_size=1, unique=True))
def test_names_become_labels_in_their_order(names):
    assert parse_labels(names) == tuple(Label(name) for name in names)
    assert parse_labels(tuple(names)) == parse_labels([Label(name) for name in names]) == parse_labels(names)


@given(definitions=st.dictionaries(NAMES, st.text(), min_size=1))
def test_a_mapping_gives_names_and_definitions(definitions):
    assert [(label.name, label.definition) for label in parse_labels(definitions)] == list(definitions.items())


def test_a_definition_may_be_missing():
    assert parse_labels({"city": None}) == (Label("city"),)


def test_exact_repetitions_count_once():
    assert parse_labels(["city", "person", Label("city")]) == (Label("city"), Label("person"))


def test_names_that_differ_in_case_are_two_labels():
    assert len(parse_labels(["city", "City"])) == 2


@pytest.mark.parametrize(
    "other", [Label("city", "A large town."), Label("city", threshold=0.2), Label("city", "A town.", threshold=0.3)]
)
def test_one_name_with_two_meanings_is_refused(other):
    with pytest.raises(OnomaError, match="'city' is given twice"):
        parse_labels(["city", other])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "empty"),
        ((), "empty"),
        ({}, "empty"),
        ("person", r"write \['person'\]"),
        (None, "NoneType"),
        (7, "int"),
        ({"city", "person"}, "set"),
        (["city", 7], "label 1 is a int"),
        (["city", None], "label 1 is a NoneType"),
        ([["city"]], "label 0 is a list"),
        (["city", ""], "label 1 is ''"),
        (["  \n"], "no letter or digit"),
        (["---"], "no letter or digit"),
        (["\u200b"], "no letter or digit"),
        (["\ud800"], "no letter or digit"),
        ({"": "nothing"}, "label 0 is ''"),
        ({"city": 7}, "not a string"),
        ({7: "city"}, "not a string"),
        ([Label(None)], "not a string"),
        (b"person", "label 0 is a int"),
    ],
)
def test_what_cannot_be_used_is_refused_with_one_sentence(labels, message):
    with pytest.raises(OnomaError, match=message) as caught:
        parse_labels(labels)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["東京", "מקום", "город", "C3PO", "7", "chemical_compound", "a{b}c", "50 %"])
def test_names_in_any_script_are_fine(name):
    assert parse_labels([name])[0].name == name


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (Label("city"), "city"),
        (Label("chemical_compound"), "chemical compound"),
        (Label("  two \n words "), "two words"),
        (Label("city", "A large town."), "city: A large town."),
        (Label("city", "  \n"), "city"),
        (Label("a{b}", "{name} {0} {"), "a{b}: {name} {0} {"),
    ],
)
def test_what_the_encoder_reads(label, text):
    assert label_text(label, TEMPLATE) == text


def test_label_sets_are_sized_and_named():
    from onoma.labels.labelset import LabelSet

    labels = LabelSet((Label("city"), Label("person")), np.eye(2, dtype=np.float32), "x", None)
    assert len(labels) == 2
    assert labels.names == ("city", "person")
