"""Units: ordered, disjoint, covering all that can be seen, and fine enough that any name can be pointed at."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onoma.text.segment import MAX_UNIT_CHARS, segment
from tiny import texts


def shown(text: str) -> list[str]:
    return [text[start:end] for start, end in segment(text)]


def is_visible(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char) not in ("Cc", "Cf")


@given(texts())
def test_units_are_ordered_disjoint_and_not_empty(text):
    units = segment(text)
    assert all(start < end for start, end in units)
    assert all(before[1] <= after[0] for before, after in pairwise(units))


@given(texts())
def test_units_cover_every_character_that_can_be_seen(text):
    covered = {position for start, end in segment(text) for position in range(start, end)}
    assert {position for position, char in enumerate(text) if is_visible(char)} <= covered


@given(texts())
def test_units_begin_with_something_visible_and_hold_no_white_space(text):
    for unit in shown(text):
        assert is_visible(unit[0])
        assert not any(char.isspace() for char in unit)


@given(st.text(st.characters(exclude_categories=())))
def test_any_string_has_units_of_limited_length(text):
    assert all(end - start <= MAX_UNIT_CHARS for start, end in segment(text))


@pytest.mark.parametrize("script", ["東京都", "漢字", "ひらがな", "カタカナ", "ไทย", "ລາວ", "ខមរ", "မန"])
def test_each_character_of_an_unspaced_script_is_a_unit(script):
    assert shown(script) == list(script)


@given(st.lists(st.sampled_from("東京都漢字かなカナไทยลาวລາວខមរမန"), min_size=1).map("".join), texts(max_fragments=3))
def test_unspaced_characters_are_units_in_any_neighbourhood(run, around):
    text = f"{around} {run} {around}"
    begin = len(around) + 1
    units = set(segment(text))
    assert all((begin + place, begin + place + 1) in units for place in range(len(run)))


@pytest.mark.parametrize("marked", ["a\u0301", "か\u3099", "ท\u0e35", "က\u102d", "+\u0308", "ש\u05c1", "క\u0c4d\u0c37"])
def test_marks_stay_with_their_character(marked):
    assert shown(f"{marked} x") == [marked, "x"]


@pytest.mark.parametrize("emoji", ["👍🏽", "👩\u200d👩\u200d👧", "🇫🇷", "❤\ufe0f"])
def test_an_emoji_is_one_unit(emoji):
    assert shown(f"a{emoji}b") == ["a", emoji, "b"]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", []),
        (" \n\t\u00a0\u3000\u2028", []),
        ("\x00\x1b\u200b\ufeff\u202e", []),
        ("Paris-based", ["Paris", "-", "based"]),
        ("O'Neill's", ["O", "'", "Neill", "'", "s"]),
        ("1,234.5 3.", ["1,234.5", "3", "."]),
        ("C3PO snake_case", ["C3PO", "snake_case"]),
        ("co\u00adoperate", ["co\u00adoperate"]),
        ("a\u200d東", ["a", "東"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("शहर दिल्ली", ["शहर", "दिल्ली"]),
        ("한국어 서울", ["한국어", "서울"]),
        ("東京2024年", ["東", "京", "2024", "年"]),
        ("\ud83dx\udc00", ["\ud83d", "x", "\udc00"]),
        ("...", [".", ".", "."]),
    ],
)
def test_examples(text, units):
    assert shown(text) == units


def test_a_long_word_is_cut_and_nothing_is_lost():
    units = segment("x" * 100_000)
    assert units[0] == (0, MAX_UNIT_CHARS)
    assert [start for start, _ in units] == list(range(0, 100_000, MAX_UNIT_CHARS))
    assert units[-1][1] == 100_000
