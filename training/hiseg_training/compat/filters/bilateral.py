"""The seed's bilateral filters: pictures and masks with less noise and the same edges.

All take ``input`` ``[B, C, H, W]`` and give ``output`` of the same shape. Beyond the edge all is zero, but for
:class:`Bilateral`, which mirrors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn
from torch.nn import functional

from hiseg_training.compat.filters.kernels import Fixed, Separable, binarise, gaussian

ITERATIONS = 2
STEEPNESS = 10.0
"""Of the weight of the blurred in :class:`BinaryMask`, by variance."""


@dataclass(frozen=True)
class Sizes:
    """What a bilateral filter can be told.

    Attributes:
        kernel_size: odd, cells.
        sigma_spatial: of the Gaussian over distance, cells.
        sigma_range: of the Gaussian over differences of value.
    """

    kernel_size: int = 5
    sigma_spatial: float = 1.0
    sigma_range: float = 0.1

    def __post_init__(self) -> None:
        gaussian(self.kernel_size, self.sigma_spatial)
        if not self.sigma_range > 0:
            raise ValueError(f"sigma_range must be positive, got {self.sigma_range}")

    def blur(self) -> Separable:
        """The Gaussian over distance."""
        return Separable(gaussian(self.kernel_size, self.sigma_spatial))


class Bilateral(nn.Module):
    """The true one: each neighbour counts by its distance and by how much its value differs, channel by channel."""

    space: torch.Tensor
    neighbours: torch.Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.size, self.sigma = sizes.kernel_size, sizes.sigma_range
        line = torch.tensor(gaussian(sizes.kernel_size, sizes.sigma_spatial))
        self.register_buffer("space", torch.outer(line, line).reshape(1, 1, -1, 1, 1))
        # A convolution that picks each neighbour: one operator where slices would be one for each.
        picks = torch.eye(self.size**2).reshape(-1, 1, self.size, self.size)
        self.register_buffer("neighbours", picks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``H`` and ``W`` must be more than half of the kernel."""
        channels, margin = x.shape[1], self.size // 2
        padded = functional.pad(x, (margin,) * 4, mode="reflect")
        around = functional.conv2d(padded, self.neighbours.repeat(channels, 1, 1, 1), groups=channels)
        around = around.unflatten(1, (channels, self.size**2))
        weight = self.space * torch.exp(-((around - x.unsqueeze(2)) ** 2) / (2 * self.sigma**2))
        return (weight * around).sum(2) / weight.sum(2)


class Fast(nn.Module):
    """Blurred twice, the more so the less the values around a pixel vary."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.blur, self.sigma = sizes.blur(), sizes.sigma_range

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(ITERATIONS):
            blurred = self.blur(x)
            variance = (self.blur(x * x) - blurred * blurred).clamp(min=0)
            share = torch.exp(-variance / (2 * self.sigma**2))
            x = blurred * share + x * (1 - share)
        return x


class EdgePreserving(nn.Module):
    """A guided filter with the picture as its own guide; ``sigma_range`` is its epsilon."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        cells = sizes.kernel_size**2
        self.mean = Fixed([[1.0] * sizes.kernel_size] * sizes.kernel_size, 1 / cells)
        self.epsilon = sizes.sigma_range

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.mean(x)
        variance = self.mean(x * x) - mean * mean
        slope = variance / (variance + self.epsilon)
        return self.mean(slope) * x + self.mean(mean - slope * mean)


class BinaryMask(nn.Module):
    """Like :class:`Fast` for masks of 0..1, cut at a half."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.blur = sizes.blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.clamp(0, 1)
        for _ in range(ITERATIONS):
            blurred = self.blur(x)
            share = torch.exp(-STEEPNESS * (self.blur(x * x) - blurred * blurred).clamp(min=0))
            x = blurred * share + x * (1 - share)
        return binarise(x)


class Morphological(nn.Module):
    """For masks of 0..1: specks are taken out, outlines blurred, small holes closed; cut at a half."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.blur = sizes.blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        opened = highest(lowest(x.clamp(0, 1)))
        return binarise(lowest(highest(self.blur(opened))))


def highest(x: torch.Tensor) -> torch.Tensor:
    """The largest value in each 3 x 3 window."""
    return functional.max_pool2d(x, kernel_size=3, stride=1, padding=1)


def lowest(x: torch.Tensor) -> torch.Tensor:
    """The smallest value in each 3 x 3 window."""
    return -highest(-x)


class BilateralType(StrEnum):
    """Which of them."""

    BILATERAL = "bilateral"
    FAST = "fast"
    EDGE_PRESERVING = "edge_preserving"
    BINARY_MASK = "binary_mask"
    MORPHOLOGICAL = "morphological"


BILATERAL_FILTERS: dict[BilateralType, Callable[[Sizes], nn.Module]] = {
    BilateralType.BILATERAL: Bilateral,
    BilateralType.FAST: Fast,
    BilateralType.EDGE_PRESERVING: EdgePreserving,
    BilateralType.BINARY_MASK: BinaryMask,
    BilateralType.MORPHOLOGICAL: Morphological,
}
