"""The marker head in PyTorch: trainable, and the twin of the numpy scorer in `heads.marker`."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from onoma.config import HeadConfig


class MarkerHead(nn.Module):
    """Scores every span of up to `max_width` units against every label, in the factored exact form.

    For units i..j with states h and a unit-length label vector e:

        hidden     = relu(start(h_i) + end(h_j) + width_{j-i})                        [H]
        mention    = hidden . m + m0
        similarity = cos(mean over the span of R h, e)
        logit      = mention + hidden . G e + scale * similarity + b . e + bias

    The first line is a marker head's last layer split by columns, so that start and end are computed once per unit; the
    third gives spans a residual path into the label encoder's space. Everything is linear in e: a label is one vector.

    Args:
        config: sizes.
    """

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        width, inner = config.width, config.inner
        self.start = nn.Sequential(nn.Linear(width, 2 * inner), nn.ReLU(), nn.Linear(2 * inner, inner))
        self.end = nn.Sequential(nn.Linear(width, 2 * inner), nn.ReLU(), nn.Linear(2 * inner, inner))
        self.residual = nn.Linear(width, width, bias=False)
        self.widths = nn.Parameter(torch.zeros(config.max_width, inner))
        self.label_map = nn.Parameter(torch.zeros(inner, width))
        self.label_bias = nn.Parameter(torch.zeros(width))
        self.mention = nn.Parameter(torch.zeros(inner))
        self.mention_bias = nn.Parameter(torch.zeros(()))
        self.log_scale = nn.Parameter(torch.tensor(math.log(12.0)))
        self.bias = nn.Parameter(torch.tensor(-6.0))
        nn.init.eye_(self.residual.weight)

    def project(self, units: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map unit states [B, U, D] to start [B, U, H], end [B, U, H] and residual [B, U, D]."""
        return self.start(units), self.end(units), self.residual(units)

    def score(self, start: Tensor, end: Tensor, residual: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Score all spans; span (i, k) covers units i..i+k, and is meaningless where i+k passes the last unit.

        Args:
            start, end: [B, U, H].
            residual: [B, U, D].
            labels: [L, D] unit-length label vectors.

        Returns:
            logits [B, U, K, L] and label-free mention logits [B, U, K].
        """
        n_widths = min(self.config.max_width, start.shape[1])
        hidden = torch.relu(start.unsqueeze(2) + _shifted(end, n_widths) + self.widths[:n_widths])
        mention = hidden @ self.mention + self.mention_bias
        similarity = _span_cosine(residual, labels, n_widths)
        label_logits = hidden @ (self.label_map @ labels.T) + labels @ self.label_bias
        logits = mention.unsqueeze(-1) + label_logits + self.log_scale.exp() * similarity + self.bias
        return logits, mention


def _shifted(units: Tensor, n_widths: int) -> Tensor:
    """Return [B, U, K, D] whose entry (i, k) is unit i+k (the last unit beyond the end)."""
    n_units = units.shape[1]
    index = torch.arange(n_units).unsqueeze(1) + torch.arange(n_widths)
    return units[:, index.clamp(max=n_units - 1).to(units.device)]


def _span_cosine(residual: Tensor, labels: Tensor, n_widths: int) -> Tensor:
    """Cosine of the mean state over each span with each label [B, U, K, L], from prefix sums."""
    n_units = residual.shape[1]
    begins = torch.arange(n_units, device=residual.device)
    ends = (begins.unsqueeze(1) + torch.arange(1, n_widths + 1, device=residual.device)).clamp(max=n_units)
    sums = nn.functional.pad(residual.float(), (0, 0, 1, 0)).cumsum(1)
    span_sums = sums[:, ends] - sums[:, begins].unsqueeze(2)
    norms = span_sums.square().sum(-1, keepdim=True).clamp(min=1e-12).sqrt()
    dots = nn.functional.pad(residual.float() @ labels.T, (0, 0, 1, 0)).cumsum(1)
    return (dots[:, ends] - dots[:, begins].unsqueeze(2)) / norms
