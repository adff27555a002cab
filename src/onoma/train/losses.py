"""Losses on logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def focal_loss(logits: Tensor, targets: Tensor, weights: Tensor, *, alpha: float, gamma: float) -> Tensor:
    """Focal loss (Lin et al. 2017, arXiv 1708.02002), summed and divided by the number of positives.

    Computed from log-sigmoids, so that it and its gradient stay finite for any logit. With `alpha=0.5, gamma=0` it is
    half the binary cross-entropy.

    Args:
        logits, targets, weights: equal shapes; targets in {0, 1}, weight 0 leaves an element out.
        alpha: weight of positives (negatives get 1 - alpha).
        gamma: how strongly well-classified elements are discounted.

    Returns:
        a scalar.
    """
    signed = torch.where(targets > 0, logits, -logits)
    log_probability = functional.logsigmoid(signed)
    # sigmoid(-x)^gamma, where log sigmoid(-x) = log sigmoid(x) - x.
    discount = torch.exp(gamma * (log_probability - signed)) if gamma else 1.0
    balance = torch.where(targets > 0, alpha, 1 - alpha)
    total = -(weights * balance * discount * log_probability).sum()
    return total / (weights * targets).sum().clamp(min=1.0)


def specificity_loss(logits: Tensor, narrower: Tensor) -> Tensor:
    """Rank a mention's own type above its broader types: the mean of softplus(1 - gap), the gap in logits.

    Both are right answers, but where a user asks for `politician` and `person`, the narrower one is the better answer.

    Args:
        logits: [B, U, K, L].
        narrower: [P, 5] as in `Targets`; without pairs the loss is 0.

    Returns:
        a scalar.
    """
    if not len(narrower):
        return logits.new_zeros(())
    row, first, width, own, broader = narrower.T
    gap = logits[row, first, width, own] - logits[row, first, width, broader]
    return functional.softplus(1.0 - gap).mean()
