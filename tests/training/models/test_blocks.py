"""Norms by their names in a configuration, and the one that is exported otherwise than it is run."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from hiseg_training.models.blocks import Style


def test_layernorm2d_is_over_channels_and_pixels_of_a_sample() -> None:
    x = torch.randn(3, 4, 5, 6)
    mean, variance = x.mean((1, 2, 3), keepdim=True), x.var((1, 2, 3), keepdim=True, unbiased=False)
    torch.testing.assert_close(Style("relu", "layernorm2d").norm(4)(x), (x - mean) / (variance + 1e-5).sqrt())


@pytest.mark.parametrize("people", [0, 3])
@pytest.mark.parametrize("normalization", ["layernorm2d", "groupnorm"])
def test_group_norms_export_what_they_compute(normalization: str, people: int, monkeypatch: pytest.MonkeyPatch) -> None:
    norm = Style("relu", normalization).norm(12)
    for weight in norm.parameters():
        nn.init.normal_(weight)
    x = torch.randn(people, 12, 6, 4)
    expected = norm(x)
    monkeypatch.setattr(torch.compiler, "is_exporting", lambda: True)
    torch.testing.assert_close(norm(x), expected)
