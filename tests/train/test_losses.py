"""The focal loss against its definition in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from onoma.train.losses import focal_loss, specificity_loss


def sample(scale: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(6, 5, generator=generator) * scale
    targets = (torch.rand(6, 5, generator=generator) < 0.3).float()
    weights = torch.rand(6, 5, generator=generator).round(decimals=1)
    return logits, targets, weights


def oracle(logits: np.ndarray, targets: np.ndarray, weights: np.ndarray, *, alpha: float, gamma: float) -> float:
    """The formula of the paper, element by element."""
    total = 0.0
    for logit, target, weight in zip(logits.ravel(), targets.ravel(), weights.ravel(), strict=True):
        probability = 1 / (1 + np.exp(-logit))
        p_t, a_t = (probability, alpha) if target else (1 - probability, 1 - alpha)
        total += -weight * a_t * (1 - p_t) ** gamma * np.log(p_t)
    return total / max(1.0, float((weights * targets).sum()))


def test_it_is_half_the_cross_entropy_without_focus() -> None:
    logits, targets, weights = sample(3.0)
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, weights, reduction="sum")
    expected = 0.5 * entropy / (weights * targets).sum()
    torch.testing.assert_close(focal_loss(logits, targets, weights, alpha=0.5, gamma=0.0), expected)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.75, 1.0), (0.25, 2.0), (0.5, 0.5), (0.9, 0.0)])
def test_value_and_gradient_agree_with_the_definition(alpha: float, gamma: float) -> None:
    logits, targets, weights = sample(4.0)
    logits.requires_grad_()
    loss = focal_loss(logits, targets, weights, alpha=alpha, gamma=gamma)
    loss.backward()
    exact = [tensor.detach().numpy().astype(np.float64) for tensor in (logits, targets, weights)]
    assert loss.item() == pytest.approx(oracle(*exact, alpha=alpha, gamma=gamma), rel=1e-5)
    step, gradient = 1e-6, np.zeros_like(exact[0])
    for index in np.ndindex(*gradient.shape):
        moved = [exact[0].copy(), exact[0].copy()]
        moved[0][index] += step
        moved[1][index] -= step
        above, below = (oracle(one, exact[1], exact[2], alpha=alpha, gamma=gamma) for one in moved)
        gradient[index] = (above - below) / (2 * step)
    np.testing.assert_allclose(logits.grad.numpy(), gradient, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("size", [50.0, 1e3, 1e6])
def test_it_stays_finite_for_huge_logits(gamma: float, size: float) -> None:
    logits = torch.tensor([size, -size, size, -size], requires_grad=True)
    targets = torch.tensor([1.0, 1.0, 0.0, 0.0])
    loss = focal_loss(logits, targets, torch.ones(4), alpha=0.75, gamma=gamma)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(logits.grad).all()
    torch.testing.assert_close(logits.grad, torch.tensor([0.0, -0.375, 0.125, 0.0]), atol=1e-4, rtol=1e-4)


def test_weightless_elements_and_missing_positives_do_no_harm() -> None:
    logits = torch.tensor([5.0, -2.0], requires_grad=True)
    loss = focal_loss(logits, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]), alpha=0.5, gamma=0.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.5 * np.log1p(np.exp(-2.0)), rel=1e-5)
    assert logits.grad[0] == 0.0


def test_the_specificity_loss_falls_with_the_gap_between_own_and_broader_type() -> None:
    logits = torch.zeros(1, 2, 1, 3)
    pairs = torch.tensor([[0, 1, 0, 2, 0]])
    level = specificity_loss(logits, pairs)
    assert level.item() == pytest.approx(np.log1p(np.e))
    logits[0, 1, 0, 2] = 5.0
    assert specificity_loss(logits, pairs) < level
    assert specificity_loss(logits, torch.zeros(0, 5, dtype=torch.long)).item() == 0.0
