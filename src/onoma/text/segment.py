"""Text -> units: the character ranges that a span can start and end on."""

from __future__ import annotations

from functools import cache
from typing import Any

MAX_UNIT_CHARS = 200
"""Longer runs of letters (base64, unbroken junk) are cut, so that no unit outgrows a window."""

# Written without spaces, so that each character (with its marks) is a unit and every span can be expressed.
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]"
_NUMBER = r"\p{N}+(?:[.,]\p{N}+)*"
_LETTER = rf"[[\p{{L}}\p{{M}}_]--{_UNSPACED}]"
_INSIDE = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--{_UNSPACED}]"
_WORD = rf"{_LETTER}(?:{_INSIDE}|\p{{Cf}}+(?={_INSIDE}))*"
_CHARACTER = rf"{_UNSPACED}[\p{{M}}\u200c\u200d]*"
# White space, control and format characters belong to no unit; anything else is one grapheme (an emoji stays whole).
_SYMBOL = r"(?![\s\p{Cc}\p{Cf}])\X"


@cache
def _pattern() -> Any:
    import regex

    return regex.compile(f"{_NUMBER}|{_CHARACTER}|{_WORD}|{_SYMBOL}", regex.V1)


def segment(text: str) -> list[tuple[int, int]]:
    """Cut a text into units: words, numbers, single characters of unspaced scripts, and single symbols.

    Units never overlap, come in reading order and cover every character that is neither white space nor a control or
    format character. Hyphens and apostrophes are units of their own, so that `Paris` in `Paris-based` can be found.

    Args:
        text: any string.

    Returns:
        Half-open code-point ranges.

        >>> segment("J. Doe's 3.5 km")
        [(0, 1), (1, 2), (3, 6), (6, 7), (7, 8), (9, 12), (13, 15)]
    """
    units: list[tuple[int, int]] = []
    for match in _pattern().finditer(text):
        start, end = match.span()
        while end - start > MAX_UNIT_CHARS:
            units.append((start, start + MAX_UNIT_CHARS))
            start += MAX_UNIT_CHARS
        units.append((start, end))
    return units
