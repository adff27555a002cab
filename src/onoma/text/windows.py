"""Documents of any length -> overlapping windows in which every span is owned by exactly one window.

Neighbouring windows share `overlap_units` units. A span belongs to the window that owns its first unit; the seam lies
in the middle of the shared zone, so that the owner sees the whole span and context on both sides. Nothing has to be
merged or de-duplicated afterwards, and memory is bounded by the piece size, not by the document.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from onoma.config import TextConfig, UnitPolicy
from onoma.text.batch import case_class
from onoma.text.segment import segment
from onoma.text.tokenizer import SubwordTokenizer, Tokens
from onoma.types import IntArray, Window

PIECE_CHARS = 16_384
"""Characters tokenised at a time."""

UNKNOWN = "units outside the vocabulary, read as unknown"
SHORTENED = "units longer than a window, read in part"
CROWDED = "windows too narrow for the widest span"


@dataclass(frozen=True, slots=True)
class _Units:
    """Units with their sub-tokens: `starts, ends, first, last` [U] and `ids, cases` [T]."""

    starts: IntArray
    ends: IntArray
    first: IntArray
    last: IntArray
    ids: IntArray
    cases: IntArray

    def tail(self, begin: int) -> _Units:
        """Return the units from `begin` on."""
        if begin >= len(self.starts):
            return _EMPTY
        cut = int(self.first[begin])
        return _Units(
            self.starts[begin:], self.ends[begin:], self.first[begin:] - cut, self.last[begin:] - cut,
            self.ids[cut:], self.cases[cut:],
        )  # fmt: skip

    def append(self, other: _Units) -> _Units:
        """Return these units followed by `other`."""
        if not len(self.starts):
            return other
        shift = len(self.ids)
        pairs = (
            (self.starts, other.starts), (self.ends, other.ends), (self.first, other.first + shift),
            (self.last, other.last + shift), (self.ids, other.ids), (self.cases, other.cases),
        )  # fmt: skip
        return _Units(*(np.concatenate(pair) for pair in pairs))


_NONE = np.zeros(0, np.int64)
_EMPTY = _Units(_NONE, _NONE, _NONE, _NONE, _NONE, _NONE)


class Windower:
    """Cuts documents into windows.

    Args:
        tokenizer: the text encoder's tokenizer.
        config: unit policy, window size and overlap.
        max_width: widest span in units; no seam cuts a span up to this width.
    """

    def __init__(self, tokenizer: SubwordTokenizer, config: TextConfig, *, max_width: int) -> None:
        self._tokenizer = tokenizer
        self._config = config
        self._max_width = max_width
        self._budget = config.max_tokens - len(tokenizer.prefix) - len(tokenizer.suffix)

    def windows(self, text: str, *, doc: int = 0, unhandled: Counter[str] | None = None) -> Iterator[Window]:
        """Yield the windows of a text in reading order; a text without units has none.

        Args:
            text: any string.
            doc: index stored in each window.
            unhandled: counter that receives what could not be read as written.
        """
        counts: Counter[str] = Counter() if unhandled is None else unhandled
        buffer, owned_from, position = _EMPTY, 0, 0
        while position < len(text):
            piece, position = self._next_piece(text, position, counts)
            buffer = buffer.append(piece)
            while True:
                end = self._window_end(buffer)
                if end == len(buffer.starts):
                    break
                right = min(self._config.overlap_units // 2, max(self._max_width - 1, end // 4))
                seam = max(owned_from + 1, end - right)
                if end - seam < self._max_width - 1:
                    counts[CROWDED] += 1
                yield self._window(buffer, end, (owned_from, min(seam, end)), doc, counts)
                begin = max(1, min(seam, end) - right)
                buffer, owned_from = buffer.tail(begin), min(seam, end) - begin
        if len(buffer.starts):
            yield self._window(buffer, len(buffer.starts), (owned_from, len(buffer.starts)), doc, counts)

    def _next_piece(self, text: str, position: int, counts: Counter[str]) -> tuple[_Units, int]:
        """Tokenise the text from `position` up to a place that splits no unit; return its units and that place."""
        limit = position + PIECE_CHARS
        if limit >= len(text):
            return self._tokenize(text[position:], position, counts), len(text)
        for cut in range(limit, position + PIECE_CHARS // 2, -1):
            if text[cut].isspace():
                return self._tokenize(text[position:cut], position, counts), cut
        # No white space: cut before the last two units, which may be one with what follows ("1" "." -> "1.5").
        units = segment(text[position:limit])
        cut = position + units[-2][0] if len(units) > 2 else limit
        return self._tokenize(text[position:cut], position, counts), cut

    def _tokenize(self, piece: str, offset: int, counts: Counter[str]) -> _Units:
        """Align the units of a piece with its sub-tokens; a sub-token over several units counts for each of them."""
        tokens = self._tokenizer.tokenize(piece)
        match self._config.units:
            case UnitPolicy.WORD:
                bounds = np.array(segment(piece), np.int64).reshape(-1, 2)
            case UnitPolicy.SUBWORD:
                bounds = _subword_units(piece, tokens)
        starts, ends = bounds[:, 0], bounds[:, 1]
        if self._config.lowercase:
            spans = zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True)
            cases = np.array([case_class(piece[begin:end]) for begin, end in spans], np.int64)
        else:
            cases = np.zeros(len(tokens.ids), np.int64)
        first = np.searchsorted(tokens.ends, starts, side="right")
        last = np.searchsorted(tokens.starts, ends, side="left")
        units = _Units(starts + offset, ends + offset, first, last, tokens.ids, cases)
        missing = np.flatnonzero(first >= last)
        if len(missing):
            units = _insert_unknown(units, missing, self._tokenizer.unknown_id)
        unknown = np.cumsum(np.concatenate([[0], units.ids == self._tokenizer.unknown_id]))
        n_unknown = int((unknown[units.last] > unknown[units.first]).sum())
        if n_unknown:
            counts[UNKNOWN] += n_unknown
        return units

    def _window_end(self, units: _Units) -> int:
        """Return how many units fit into one window, at least one if there is any."""
        fit = int(np.searchsorted(units.last, self._budget, side="right"))
        return min(len(units.starts), max(1, min(fit, self._budget)))

    def _window(self, units: _Units, end: int, owned: tuple[int, int], doc: int, counts: Counter[str]) -> Window:
        prefix, suffix = self._tokenizer.prefix, self._tokenizer.suffix
        cut = int(units.last[end - 1])
        if cut > self._budget:
            counts[SHORTENED] += 1
            cut = self._budget
        return Window(
            doc=doc,
            starts=units.starts[:end],
            ends=units.ends[:end],
            token_ids=np.concatenate([prefix, units.ids[:cut], suffix]).astype(np.int64),
            case_ids=np.concatenate([[0] * len(prefix), units.cases[:cut], [0] * len(suffix)]).astype(np.int64),
            first=units.first[:end] + len(prefix),
            last=np.minimum(units.last[:end], cut) + len(prefix),
            owned=owned,
        )


def _subword_units(piece: str, tokens: Tokens) -> IntArray:
    """Return the character ranges of sub-tokens, without white space around them, and of what the tokenizer left out.

    Of sub-tokens that share a character (its bytes), the first has it. A mark that was left out stays with its letter.
    """
    bounds: list[tuple[int, int]] = []
    reached = 0
    for first, last in [*zip(tokens.starts.tolist(), tokens.ends.tolist(), strict=True), (len(piece), len(piece))]:
        for low, high in segment(piece[reached:first]) if first > reached else ():
            if bounds and bounds[-1][1] == reached + low and unicodedata.category(piece[reached + low]).startswith("M"):
                bounds[-1] = (bounds[-1][0], reached + high)
            else:
                bounds.append((reached + low, reached + high))
        begin = max(first, reached)
        reached = max(last, reached)
        covered = piece[begin:reached]
        if covered.strip():
            left, right = len(covered) - len(covered.lstrip()), len(covered) - len(covered.rstrip())
            bounds.append((begin + left, reached - right))
    return np.array(bounds, np.int64).reshape(-1, 2)


def _insert_unknown(units: _Units, missing: IntArray, unknown_id: int) -> _Units:
    """Give each unit in `missing` one unknown token, at the place where its own would stand."""
    places = units.first[missing]
    is_missing = np.zeros(len(units.starts), np.int64)
    is_missing[missing] = 1
    before = np.cumsum(is_missing) - is_missing
    return _Units(
        units.starts,
        units.ends,
        np.where(is_missing == 1, units.first, np.minimum(units.first, units.last)) + before,
        np.where(is_missing == 1, units.first + 1, units.last) + before,
        np.insert(units.ids, places, unknown_id),
        np.insert(units.cases, places, 0),
    )
