"""Upstream's bilateral filters, which remove noise from images and masks and keep their edges.

All filters take ``input``, float ``[B, C, H, W]``, and give ``output`` of the same shape. Values beyond the edge are 0,
except in :class:`Bilateral`, which mirrors the image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hiseg_training.compat.filters.kernels import Fixed, Separable, binarise, gaussian
from hiseg_training.compat.filters.kinds import BilateralType

ITERATIONS = 2
STEEPNESS = 10.0
"""Decay of the blur's share with the local variance in :class:`BinaryMask`."""


@dataclass(frozen=True)
class Sizes:
    """Parameters of a bilateral filter.

    Attributes:
        kernel_size: side of the window in pixels; odd, at least 3.
        sigma_spatial: standard deviation of the Gaussian over distances, in pixels; above 0.
        sigma_range: standard deviation of the Gaussian over differences of value; above 0.

    Raises:
        ValueError: a value is out of its range; the message begins with its name.
    """

    kernel_size: int = 5
    sigma_spatial: float = 1.0
    sigma_range: float = 0.1

    def __post_init__(self) -> None:
        gaussian(self.kernel_size, self.sigma_spatial)
        if not self.sigma_range > 0:
            raise ValueError(f"sigma_range must be positive, got {self.sigma_range}")

    def blur(self) -> Separable:
        """A blur by the Gaussian over distances."""
        return Separable(gaussian(self.kernel_size, self.sigma_spatial))


class Bilateral(nn.Module):
    """The bilateral filter proper (Tomasi & Manduchi, 1998), each channel by itself.

    The weight of a neighbour falls with its distance and with the difference of its value.
    """

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
        """Filter float ``[B, C, H, W]``; height and width must be more than half of the kernel's."""
        channels, margin = x.shape[1], self.size // 2
        padded = functional.pad(x, (margin,) * 4, mode="reflect")
        around = functional.conv2d(padded, self.neighbours.repeat(channels, 1, 1, 1), groups=channels)
        around = torch.unflatten(around, 1, (channels, self.size**2))
        weight = self.space * torch.exp(-((around - x.unsqueeze(2)) ** 2) / (2 * self.sigma**2))
        mean: torch.Tensor = (weight * around).sum(2) / weight.sum(2)
        return mean


class Fast(nn.Module):
    """Blurs twice, each pixel the more the smaller the variance around it."""

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
    """A guided filter (He et al., 2010) with the image as its own guide; ``sigma_range`` is its epsilon."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        cells = sizes.kernel_size**2
        self.mean = Fixed([[1.0] * sizes.kernel_size] * sizes.kernel_size, 1 / cells)
        self.epsilon = sizes.sigma_range

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.mean(x)
        variance = self.mean(x * x) - mean * mean
        slope = variance / (variance + self.epsilon)
        filtered: torch.Tensor = self.mean(slope) * x + self.mean(mean - slope * mean)
        return filtered


class BinaryMask(nn.Module):
    """Like :class:`Fast`, for masks 0..1; the result is thresholded at 0.5."""

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
    """For masks 0..1: opens them (removing specks), blurs, closes small holes, and thresholds at 0.5."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.blur = sizes.blur()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        opened = dilate(erode(x.clamp(0, 1)))
        return binarise(erode(dilate(self.blur(opened))))


def dilate(x: torch.Tensor) -> torch.Tensor:
    """Maximum of float ``[B, C, H, W]`` in a 3 x 3 window around each pixel."""
    return functional.max_pool2d(x, kernel_size=3, stride=1, padding=1)


def erode(x: torch.Tensor) -> torch.Tensor:
    """Minimum of float ``[B, C, H, W]`` in a 3 x 3 window around each pixel."""
    return -dilate(-x)


BILATERAL_FILTERS: dict[BilateralType, Callable[[Sizes], nn.Module]] = {
    BilateralType.BILATERAL: Bilateral,
    BilateralType.FAST: Fast,
    BilateralType.EDGE_PRESERVING: EdgePreserving,
    BilateralType.BINARY_MASK: BinaryMask,
    BilateralType.MORPHOLOGICAL: Morphological,
}
