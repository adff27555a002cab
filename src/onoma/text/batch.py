"""Windows -> padded batches, and the letter-case classes that an uncased tokenizer would lose."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from onoma.types import IntArray, TokenBatch, Window

CASE_CLASSES = 6
"""Number of values of `case_class`."""
CASE_CHARS = 32
"""Characters of a sub-token that are looked at; bounds what the cache of classes holds."""


def case_class(piece: str) -> int:
    """Return the letter-case class of a sub-token's characters.

    0 no letters, 1 lower case, 2 capitalised, 3 upper case (two letters or more), 4 mixed case, 5 digits.

        >>> [case_class(piece) for piece in ("(", "cat", "Rome", "NASA", "iPod", "1987")]
        [0, 1, 2, 3, 4, 5]
    """
    return _case_class(piece[:CASE_CHARS])


@lru_cache(maxsize=100_000)
def _case_class(piece: str) -> int:
    if piece.islower():
        return 1
    if piece.isupper():
        return 3 if len(piece) > 1 else 2
    if piece[:1].isupper() and piece[1:].islower():
        return 2
    if piece.isdigit():
        return 5
    return 4 if any(char.isupper() for char in piece) else 0


def make_batch(windows: Sequence[Window], *, pad_id: int) -> TokenBatch:
    """Pad windows to one rectangle.

    Args:
        windows: at least one window.
        pad_id: token id that fills the padding.
    """
    n_tokens = max(len(win.token_ids) for win in windows)
    n_units = max(len(win.starts) for win in windows)
    shape = (len(windows), n_tokens)
    token_ids = np.full(shape, pad_id, np.int64)
    attention_mask, case_ids = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    pool = np.zeros((len(windows), n_units, n_tokens), np.float32)
    for row, win in enumerate(windows):
        length = len(win.token_ids)
        token_ids[row, :length] = win.token_ids
        attention_mask[row, :length] = 1
        case_ids[row, :length] = win.case_ids
        _fill_pool(pool[row], win)
    counts = np.array([len(win.starts) for win in windows], np.int64)
    return TokenBatch(token_ids, attention_mask, case_ids, pool, counts)


def _fill_pool(pool: np.ndarray, win: Window) -> None:
    """Write the averaging weights of one window into `pool` [U, T]."""
    lengths = win.last - win.first
    units = np.repeat(np.arange(len(lengths)), lengths)
    offsets = np.arange(len(units)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    pool[units, win.first[units] + offsets] = 1.0 / lengths[units]


def token_budget_batches(lengths: IntArray, *, batch_tokens: int) -> Iterator[IntArray]:
    """Group items of similar length so that each batch has at most `batch_tokens` sub-tokens, padding included.

    Args:
        lengths: [N] sub-tokens of each item.
        batch_tokens: budget of one batch; an item longer than it forms a batch of its own.

    Yields:
        Index arrays into `lengths`, longest items first (so that memory peaks at once, not late in a long job).
    """
    order = np.argsort(-lengths, kind="stable")
    position = 0
    while position < len(order):
        size = max(1, batch_tokens // max(1, int(lengths[order[position]])))
        yield order[position : position + size]
        position += size
