"""The marker head in numpy: encoded units x label vectors -> candidates, in the factored exact form.

The formula is that of `heads.marker_torch.MarkerHead`, regrouped so that no [units x widths x labels] tensor is built:
spans are listed once, their mention logit is computed first, and only spans above the model's mention floor meet the
labels. Norms of span means come from a two-dimensional prefix sum over the Gram matrix of the units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from onoma.config import HeadConfig
from onoma.errors import OnomaError
from onoma.types import Candidates, Encoded, FloatArray, IntArray

LABEL_BLOCK = 1024
"""Labels scored at a time; bounds the memory of a large label set."""
CACHED_LOGITS = 1 << 17
"""Logits computed at a time: half a megabyte, which stays in a core's cache while it is worked on."""


@dataclass(frozen=True, slots=True)
class LabelProjection:
    """Label vectors as the scorer uses them.

    Args:
        hidden: [H, L] what the head's hidden layer is multiplied with.
        direction: [D, L] unit-length label vectors times the similarity scale.
        bias: [L].
    """

    hidden: FloatArray
    direction: FloatArray
    bias: FloatArray


@dataclass(frozen=True, slots=True)
class _Spans:
    """Listed spans, each array [S]: row of the batch, first unit, width index (last unit minus first)."""

    row: IntArray
    first: IntArray
    width: IntArray

    def take(self, rows: np.ndarray | slice) -> _Spans:
        return _Spans(self.row[rows], self.first[rows], self.width[rows])


@dataclass(frozen=True, slots=True)
class _Features:
    """What of the spans meets every label: hidden layer [S, H], mention logit [S], 1 / length of the span's sum [S]."""

    spans: _Spans
    hidden: FloatArray
    mention: FloatArray
    inverse_norm: FloatArray


class MarkerScorer:
    """Scores spans against labels.

    Args:
        config: sizes and the mention floor.
        weights: the head's weights by name, as in `MarkerHead.state_dict()`.

    Raises:
        OnomaError: if a weight is missing or has another shape than `config` says.
    """

    def __init__(self, config: HeadConfig, weights: Mapping[str, FloatArray]) -> None:
        _check(weights, config)
        self._max_width = config.max_width
        self._widths = weights["widths"]
        self._label_map = weights["label_map"]
        self._label_bias = weights["label_bias"]
        self._mention = weights["mention"]
        self._mention_bias = float(weights["mention_bias"])
        self._scale = float(np.exp(weights["log_scale"]))
        self._bias = float(weights["bias"])
        floor = config.mention_floor
        self._mention_floor = float(np.log(floor) - np.log1p(-floor)) if floor > 0 else -np.inf

    def project_labels(self, vectors: FloatArray) -> LabelProjection:
        """Prepare unit-length label vectors [L, D] for scoring."""
        return LabelProjection(
            np.ascontiguousarray(self._label_map @ vectors.T),
            np.ascontiguousarray(vectors.T * np.float32(self._scale)),
            (vectors @ self._label_bias + np.float32(self._bias)).astype(np.float32),
        )

    def candidates(
        self, enc: Encoded, owned: IntArray, labels: LabelProjection, logit_thresholds: FloatArray
    ) -> Candidates:
        """Return every (span, label) whose logit reaches the label's threshold.

        Args:
            enc: B encoded windows.
            owned: [B, 2] range of first units that each window owns.
            labels: L projected labels.
            logit_thresholds: [L].

        Returns:
            Candidates with `window` the row in the batch, `start` and `end` in units, in order of (window, start, end).
        """
        with _blas().limit(limits=1, user_api="blas"):  # its threads would fight those of the encoder's engine
            return self._candidates(enc, owned, labels, logit_thresholds)

    def _candidates(
        self, enc: Encoded, owned: IntArray, labels: LabelProjection, logit_thresholds: FloatArray
    ) -> Candidates:
        spans = list_spans(enc.unit_counts, owned, self._max_width)
        hidden = enc.start[spans.row, spans.first]
        hidden += enc.end[spans.row, spans.first + spans.width]
        hidden += self._widths[spans.width]
        np.maximum(hidden, 0.0, out=hidden)
        mention = hidden @ self._mention + np.float32(self._mention_bias)
        if self._mention_floor > -np.inf:
            kept = np.flatnonzero(mention >= self._mention_floor)
            spans, hidden, mention = spans.take(kept), hidden[kept], mention[kept]
        features = _Features(spans, hidden, mention, 1.0 / _span_norms(enc.residual, spans))
        blocks = _blocks(len(labels.bias), LABEL_BLOCK)
        parts = [part for block in blocks for part in _score(enc.residual, features, labels, logit_thresholds, block)]
        cands = Candidates.concatenate(parts)
        return (
            cands if len(blocks) == 1 else cands.take(np.lexsort((cands.label, cands.end, cands.start, cands.window)))
        )


def _score(
    residual: FloatArray, features: _Features, labels: LabelProjection, logit_thresholds: FloatArray, block: slice
) -> Iterator[Candidates]:
    """Score all spans against the labels of one block, a few spans at a time so that the logits stay in the cache."""
    dots = residual @ labels.direction[:, block]
    sums = np.zeros((dots.shape[0], dots.shape[1] + 1, dots.shape[2]), np.float32)
    np.cumsum(dots, axis=1, out=sums[:, 1:])
    n_labels = dots.shape[2]
    for rows in _blocks(len(features.mention), max(1, CACHED_LOGITS // n_labels)):
        spans = features.spans.take(rows)
        logits = sums[spans.row, spans.first + spans.width + 1]
        logits -= sums[spans.row, spans.first]
        logits *= features.inverse_norm[rows, None]
        logits += features.hidden[rows] @ labels.hidden[:, block]
        logits += features.mention[rows, None]
        logits += labels.bias[block]
        hits = np.flatnonzero(logits >= logit_thresholds[block])
        chosen, label = spans.take(hits // n_labels), hits % n_labels
        scores = sigmoid(logits.ravel()[hits])
        yield Candidates(chosen.row, chosen.first, chosen.first + chosen.width + 1, label + int(block.start), scores)


def _check(weights: Mapping[str, FloatArray], config: HeadConfig) -> None:
    """Refuse weights that are missing or misshapen."""
    inner, width = config.inner, config.width
    shapes = {
        "widths": (config.max_width, inner), "label_map": (inner, width), "label_bias": (width,), "mention": (inner,),
        "mention_bias": (), "log_scale": (), "bias": (),
    }  # fmt: skip
    for name, shape in shapes.items():
        found = np.shape(weights[name]) if name in weights else None
        if found != shape:
            raise OnomaError(
                f"the head's weight {name!r} is {'missing' if found is None else f'of shape {found}'}, but the "
                f"configuration needs shape {shape}; the model folder is damaged or mixed up, fetch the model again."
            )


def list_spans(unit_counts: IntArray, owned: IntArray, max_width: int) -> _Spans:
    """List the spans of up to `max_width` units that start in each window's owned range, by (row, first, width)."""
    begins = np.concatenate([np.arange(low, high) for low, high in owned.tolist()])
    rows = np.repeat(np.arange(len(owned)), owned[:, 1] - owned[:, 0])
    n_widths = np.minimum(max_width, unit_counts[rows] - begins)
    which = np.repeat(np.arange(len(begins)), n_widths)
    width = np.arange(len(which)) - np.repeat(np.cumsum(n_widths) - n_widths, n_widths)
    return _Spans(rows[which], begins[which], width)


def sigmoid(logits: FloatArray) -> FloatArray:
    """Logistic function that neither overflows nor warns."""
    values: FloatArray = (0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
    return values


def _span_norms(residual: FloatArray, spans: _Spans) -> FloatArray:
    """Return the length [S] of the sum of `residual` [B, U, D] over each span."""
    gram = residual @ residual.transpose(0, 2, 1)
    size = gram.shape[1] + 1
    corner = np.zeros((gram.shape[0], size, size))
    corner[:, 1:, 1:] = gram.cumsum(1, np.float64).cumsum(2)
    row, low, high = spans.row, spans.first, spans.first + spans.width + 1
    square = corner[row, high, high] - corner[row, low, high] - corner[row, high, low] + corner[row, low, low]
    norms: FloatArray = np.sqrt(np.maximum(square, 1e-12)).astype(np.float32)
    return norms


@cache
def _blas() -> Any:
    """Return the control over numpy's linear-algebra threads."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _blocks(size: int, length: int) -> list[slice]:
    return [slice(begin, min(begin + length, size)) for begin in range(0, size, length)]
