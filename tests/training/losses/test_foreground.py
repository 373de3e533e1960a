"""The coarse stage's loss."""

from __future__ import annotations

import pytest
import torch

from hiseg_training.losses.foreground import ForegroundLossConfig, foreground_loss


def test_partly_covered_cells() -> None:
    truth = torch.full((1, 1, 4, 4), 0.25)
    at, off = torch.logit(truth), torch.zeros_like(truth)
    assert foreground_loss(at, truth)["total"] < foreground_loss(off, truth)["total"]


@pytest.mark.parametrize("gamma", [0.0, 2.0])
@pytest.mark.parametrize("images", [0, 2])
@pytest.mark.parametrize("there", [0.0, 1.0])
def test_losses_without_people_and_without_images(gamma: float, images: int, there: float) -> None:
    logits = torch.randn(images, 1, 6, 4, dtype=torch.bfloat16, requires_grad=True)
    config = ForegroundLossConfig(focal_gamma=gamma, positive_weight=2.0, dice=0.5)
    terms = foreground_loss(logits, torch.full((images, 1, 6, 4), there), config)
    assert terms["total"].item() == pytest.approx(terms["cross_entropy"].item() + 0.5 * terms["dice"].item())
    assert images or terms["total"] == 0
    terms["total"].backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_impossible_weights_are_named() -> None:
    with pytest.raises(ValueError, match="dice"):
        ForegroundLossConfig(dice=-1)
