"""A larger model begins as the smaller one whose weights it is given."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.blocks import ResidualBlock
from hiseg_training.models.fine import FineStage
from hiseg_training.models.growth import load_grown, make_identity, widen


@pytest.mark.parametrize("larger", ["b1", "b7"])
def test_a_larger_variant_begins_as_the_b0_it_is_given(larger: str) -> None:
    torch.manual_seed(0)
    b0, grown = (FineStage(ModelConfig(variant=variant)) for variant in ("b0", larger))
    for norm in b0.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.uniform_(-0.1, 0.1)  # type: ignore[union-attr]
            norm.weight.data.uniform_(0.5, 1.5)
    fit = load_grown(grown, b0.state_dict())
    assert fit == len(b0.state_dict()) < len(grown.state_dict())
    crops = torch.rand(2, 6, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(grown.eval()(crops), b0.eval()(crops), atol=1e-5, rtol=1e-4)


def test_copies_of_a_channel_part_as_they_learn() -> None:
    torch.manual_seed(0)
    b0, b7 = (FineStage(ModelConfig(variant=variant)) for variant in ("b0", "b7"))
    load_grown(b7, b0.state_dict())
    b7.train()(torch.rand(2, 6, 64, 64)).square().mean().backward()
    stem = b7.encoder.stem[0].weight  # type: ignore[union-attr,index]
    assert torch.equal(stem[::2], stem[1::2])
    first, second = stem.grad[::2].flatten(1), stem.grad[1::2].flatten(1)
    assert torch.cosine_similarity(first, second).max() < 0.9999


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(1, 4),
    kept=st.integers(0, 3),
    copied=st.integers(1, 4),
    times=st.integers(2, 4),
    more=st.booleans(),
)
def test_a_widened_convolution_gives_the_same_output(rows: int, kept: int, copied: int, times: int, more: bool) -> None:
    torch.manual_seed(rows + kept)
    narrow = torch.rand(rows, kept + copied, 3, 3)
    before = torch.rand(1, kept + copied, 5, 5)
    after = torch.cat([before[:, :kept], before[:, kept:].repeat_interleave(times, dim=1)], dim=1)
    out = rows * times if more else rows
    wide = widen(narrow, torch.Size([out, kept + times * copied, 3, 3]), times)
    assert wide is not None
    said = F.conv2d(before, narrow).repeat_interleave(out // rows, dim=1)
    torch.testing.assert_close(F.conv2d(after, wide), said, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [(8, 6, 3, 3), (12, 4, 3, 3), (8, 9, 3, 3), (8, 3, 3, 3), (8, 4, 1, 1), (8, 4)])
def test_shapes_that_widening_cannot_give_are_refused(shape: tuple[int, ...]) -> None:
    assert (widen(torch.rand(8, 4, 3, 3), torch.Size(shape), 2) is None) == (shape != (8, 6, 3, 3))


def test_behind_a_decoder_that_begins_anew_nothing_is_widened() -> None:
    narrow, wide = (
        FineStage(ModelConfig(variant=v, fine_widths=w))
        for v, w in (("b0", (96, 64, 48, 32)), ("b7", (144, 96, 72, 48)))
    )
    fit = load_grown(wide, narrow.state_dict())
    shapes = {name: value.shape for name, value in wide.state_dict().items()}
    assert fit == sum(shapes[name] == value.shape for name, value in narrow.state_dict().items())


def test_weights_of_another_kind_change_nothing() -> None:
    stage = FineStage(ModelConfig(variant="b1"))
    before = {name: value.clone() for name, value in stage.state_dict().items()}
    assert load_grown(stage, {"encoder.net.blocks.0.weight": torch.ones(3)}) == 0
    assert all(torch.equal(value, before[name]) for name, value in stage.state_dict().items())


def test_new_blocks_learn() -> None:
    block = ResidualBlock(8, 8)
    make_identity(block)
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
        make_identity(block)
        assert torch.equal(block.shortcut.weight, before)
