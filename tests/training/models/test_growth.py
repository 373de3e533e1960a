"""A deeper model begins as the shallower one whose weights it is given."""

from __future__ import annotations

import torch

from training.config import ModelConfig
from training.models.blocks import ResidualBlock
from training.models.fine import FineStage
from training.models.growth import pass_on, take_over


def test_b1_begins_as_the_b0_it_is_given() -> None:
    torch.manual_seed(0)
    b0, b1 = (FineStage(ModelConfig(variant=variant), 32) for variant in ("b0", "b1"))
    for norm in b0.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
            norm.weight.data.uniform_(0.5, 1.5)
    fit = take_over(b1, b0.state_dict())
    assert fit == len(b0.state_dict()) < len(b1.state_dict())
    crops = torch.rand(2, 5, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(b1.eval()(crops), b0.eval()(crops), atol=1e-5, rtol=1e-5)


def test_weights_of_another_kind_change_nothing() -> None:
    stage = FineStage(ModelConfig(variant="b1"), 32)
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    assert take_over(stage, {"encoder.net.blocks.0.weight": torch.ones(3)}) == 0
    assert all(torch.equal(value, before[name]) for name, value in stage.state_dict().items())


def test_new_blocks_learn() -> None:
    block = ResidualBlock(8, 8)
    pass_on(block)
    x = torch.rand(2, 8, 6, 6)
    torch.testing.assert_close(block(x), x)
    (block(x) * torch.rand(2, 8, 6, 6)).sum().backward()
    grown = block.second[1].weight
    assert isinstance(grown, torch.nn.Parameter)
    assert grown.grad is not None
    assert grown.grad.abs().sum() > 0


def test_a_block_that_changes_sizes_is_left_alone() -> None:
    for block in (ResidualBlock(8, 12), ResidualBlock(8, 8, stride=2)):
        before = block.shortcut.weight.clone()
        pass_on(block)
        assert torch.equal(block.shortcut.weight, before)
