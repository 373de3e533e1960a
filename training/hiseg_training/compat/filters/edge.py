"""Upstream's edge smoothing: a mask is blurred along its edges, and thresholded again.

All filters take ``mask``, float 0..1 ``[B, 1, H, W]``, and give ``smoothed_mask``, 0 or 1, of the same shape and dtype.
"""

from __future__ import annotations

import torch
from torch import nn

from hiseg_training.compat.filters.kernels import LAPLACIAN, Fixed, Separable, Weights, binarise

BINOMIAL_3: Weights = [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
BINOMIAL_5 = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]
SOBEL_X: Weights = [[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]
SOBEL_Y: Weights = [[-1.0, -2.0, -1.0], [0.0, 0.0, 0.0], [1.0, 2.0, 1.0]]
LINE = [0.1, 0.2, 0.4, 0.2, 0.1]
DOWNWARDS: Weights = [[0.1, 0.0, 0.0], [0.0, 0.8, 0.0], [0.0, 0.0, 0.1]]
UPWARDS: Weights = [[0.0, 0.0, 0.1], [0.0, 0.8, 0.0], [0.1, 0.0, 0.0]]
SLOPE = 3.0
TINY = 1e-8


def blend(mask: torch.Tensor, blurred: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Mix two tensors of one shape: ``share`` 0..1 of ``blurred``, the rest of ``mask``."""
    return mask * (1 - share) + blurred * share


class Basic(nn.Module):
    """Mixes in a 3 x 3 blur, the more the pixel differs from its neighbours (by a sigmoid)."""

    def __init__(self) -> None:
        super().__init__()
        self.difference = Fixed(LAPLACIAN)
        self.blur = Fixed(BINOMIAL_3, 1 / 16)

    def forward(self, mask: torch.Tensor) -> torch.Tensor:
        share = torch.sigmoid(SLOPE * self.difference(mask).abs())
        return binarise(blend(mask, self.blur(mask), share))


class Directional(nn.Module):
    """Mixes in blurs along four lines, weighted by the angle between the mask's gradient and each line."""

    def __init__(self) -> None:
        super().__init__()
        self.slope_x, self.slope_y = Fixed(SOBEL_X), Fixed(SOBEL_Y)
        self.along_x, self.along_y = Fixed([LINE]), Fixed([[value] for value in LINE])
        self.downwards, self.upwards = Fixed(DOWNWARDS), Fixed(UPWARDS)

    def forward(self, mask: torch.Tensor) -> torch.Tensor:
        x, y = self.slope_x(mask), self.slope_y(mask)
        square = x * x + y * y
        # Squared cosines of the gradient's angle to each line, computed without the angle: neither ONNX nor TensorRT
        # has an atan2. Where the gradient is 0 the angle is taken to be 0.
        flat = square == 0
        known = torch.where(flat, torch.ones_like(square), square)
        horizontal = torch.where(flat, torch.ones_like(square), x * x / known)
        vertical = y * y / known
        falling = torch.where(flat, torch.full_like(square, 0.25), (x + y) ** 2 / known * 0.25)
        rising = torch.where(flat, torch.full_like(square, 0.25), (x - y) ** 2 / known * 0.25)
        total = horizontal + vertical + falling + rising + TINY
        blurred = (
            self.along_x(mask) * horizontal
            + self.along_y(mask) * vertical
            + self.downwards(mask) * falling
            + self.upwards(mask) * rising
        ) / total
        return binarise(blend(mask, blurred, torch.sigmoid(SLOPE * torch.sqrt(square + TINY))))


class Adaptive(nn.Module):
    """Mixes in a 5 x 5 box blur at edges; strength, edge sensitivity and threshold are inputs of the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.difference = Fixed(LAPLACIAN)
        self.box = Fixed([[1.0] * 5] * 5, 1 / 25)

    def forward(
        self,
        mask: torch.Tensor,
        blur_strength: torch.Tensor,
        edge_sensitivity: torch.Tensor,
        final_threshold: torch.Tensor,
    ) -> torch.Tensor:
        """Smooth a batch of masks.

        Args:
            mask: float 0..1 ``[B, 1, H, W]``.
            blur_strength: float ``[1]``; 1..5 is sensible.
            edge_sensitivity: float ``[1]``; 0.5..2 is sensible.
            final_threshold: float ``[1]``; 0.3..0.7 is sensible.
        """
        edge = (self.difference(mask).abs() > 0.5 * edge_sensitivity).to(mask.dtype)
        blurred = blend(mask, self.box(mask), blur_strength / 3)
        return binarise(blend(mask, blurred, edge), final_threshold)


class Optimized(nn.Module):
    """Mixes in a separable 5-tap blur by a share without exponentials; exact enough in half precision too."""

    def __init__(self) -> None:
        super().__init__()
        self.difference = Fixed(LAPLACIAN)
        self.blur = Separable(BINOMIAL_5)

    def forward(self, mask: torch.Tensor) -> torch.Tensor:
        share = ((SLOPE * self.difference(mask).abs() + 0.5) * 0.5).clamp(0, 1)
        return binarise(blend(mask, self.blur(mask), share))


def edge_filters() -> dict[str, nn.Module]:
    """All edge filters by the names of their files."""
    return {
        "basic_edge_smoothing": Basic(),
        "directional_edge_smoothing": Directional(),
        "adaptive_edge_smoothing": Adaptive(),
        "optimized_edge_smoothing_fp32": Optimized(),
        "optimized_edge_smoothing_fp16": Optimized().half(),
    }
