"""Convolutions with fixed kernels, of which all filters here are made."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

Weights = Sequence[Sequence[float]]

LAPLACIAN = [[-1.0, -1.0, -1.0], [-1.0, 8.0, -1.0], [-1.0, -1.0, -1.0]]
"""Eight times a pixel less the sum of its eight neighbours."""


class Fixed(nn.Module):
    """Convolves each channel with one kernel; values beyond the edge are 0.

    Args:
        rows: the kernel; height and width are odd.
        scale: factor of all its values.
    """

    kernel: torch.Tensor

    def __init__(self, rows: Weights, scale: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor(rows)[None, None] * scale)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Filter float ``[B, C, H, W]``; the result has the same shape."""
        channels, (height, width) = x.shape[1], self.kernel.shape[2:]
        kernel = self.kernel.expand(channels, 1, height, width)
        return functional.conv2d(x, kernel, padding=(height // 2, width // 2), groups=channels)


class Separable(nn.Sequential):
    """Convolves with a symmetric one-dimensional kernel along the rows, then along the columns."""

    def __init__(self, line: Sequence[float]) -> None:
        super().__init__(Fixed([list(line)]), Fixed([[value] for value in line]))


def gaussian(size: int, sigma: float) -> list[float]:
    """Weights of a Gaussian kernel of ``size`` cells; their sum is 1.

    Raises:
        ValueError: ``size`` is even or less than 3, or ``sigma`` isn't positive.
    """
    if size < 3 or size % 2 == 0:
        raise ValueError(f"kernel_size must be odd and at least 3, got {size}")
    if not sigma > 0:
        raise ValueError(f"sigma_spatial must be positive, got {sigma}")
    distance = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.exp(-(distance**2) / (2 * sigma**2))
    return [float(weight) for weight in weights / weights.sum()]


def binarise(x: torch.Tensor, threshold: float | torch.Tensor = 0.5) -> torch.Tensor:
    """Threshold a tensor of any shape: 1 where ``x`` is above the threshold, else 0, in the dtype of ``x``."""
    return (x > threshold).to(x.dtype)
