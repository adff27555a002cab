"""Candidates of windows -> candidates of documents."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from onoma.types import Candidates, Window


def to_characters(cands: Candidates, windows: Sequence[Window]) -> Candidates:
    """Turn unit positions within windows into character positions within documents.

    Every span is scored by the one window that owns it (see `text.windows`), so nothing has to be merged.

    Args:
        cands: `window` indexes `windows`, `start` and `end` count units.
        windows: the windows of one batch.

    Returns:
        The same candidates with `window` replaced by the index of the document, `start` and `end` in characters.
    """
    doc, start, end = cands.window.copy(), cands.start.copy(), cands.end.copy()
    for row, win in enumerate(windows):
        mine = cands.window == row
        doc[mine] = win.doc
        start[mine] = win.starts[cands.start[mine]]
        end[mine] = win.ends[cands.end[mine] - 1]
    return Candidates(doc, np.asarray(start), np.asarray(end), cands.label, cands.score)
