"""Where outlines run in label maps, and how far from them a pixel is: targets and weights, never differentiated.

Lengths are in pixels of the label map and scale with it, so that a person's outline is as thick a part of the person
at every mask size.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

BAND = 1 / 64
"""Half the width of an outline's band, as a share of the map's height: 2 pixels a side at 128x96."""
REACH = 1 / 8
"""Distance to the outline, as a share of the map's height, that counts as 1: 16 pixels at 128x96."""
GAP = 1 / 32
"""Spread of the weight between two people, as a share of the map's height: 4 pixels at 128x96."""


def band_radius(height: int) -> int:
    """Pixels on each side of an outline that belong to its band; at least one, so that no outline vanishes."""
    return max(1, round(height * BAND))


def outline_band(labels: torch.Tensor) -> torch.Tensor:
    """Pixels close to where a label begins or ends.

    A person cut off by the map's edge has no outline there: nobody knows how it goes on.

    Args:
        labels: bool or int64 ``[N, h, w]``.

    Returns:
        bool ``[N, h, w]``; around a straight outline ``2 * band_radius(h)`` pixels wide.
    """
    radius, values = band_radius(labels.shape[1]), labels.float()
    return _largest_around(values, radius) != -_largest_around(-values, radius)


def _largest_around(values: torch.Tensor, radius: int) -> torch.Tensor:
    """Largest of each pixel's neighbourhood, a square of ``2 * radius + 1``; nothing lies beyond the map's edge.

    First along rows, then along columns: that is a thirtieth of the time of a square at once.
    """
    along = F.max_pool1d(values, 2 * radius + 1, stride=1, padding=radius)
    return F.max_pool1d(along.mT, 2 * radius + 1, stride=1, padding=radius).mT


def distance_to(masks: torch.Tensor) -> torch.Tensor:
    """Euclidean distance from each pixel's centre to that of the nearest pixel of its mask.

    Args:
        masks: bool ``[N, h, w]``.

    Returns:
        float32 ``[N, h, w]`` in pixels, 0 inside; at least ``h + w`` where there is no mask.
    """
    far = float(sum(masks.shape[1:]))
    outside = (~masks).to(torch.uint8).cpu().numpy()
    found = [
        cv2.distanceTransform(plane, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        if not plane.all()
        else np.full_like(plane, far, np.float32)
        for plane in outside
    ]
    if not found:
        return torch.zeros(masks.shape, device=masks.device)
    # Squares of such distances are whole numbers. OpenCV's last bit differs from call to call, and runs shall repeat.
    exact = np.sqrt(np.rint(np.square(np.stack(found))))
    return torch.from_numpy(exact).to(masks.device)


def signed_distance(masks: torch.Tensor) -> torch.Tensor:
    """Distance to each mask's outline: positive inside, negative outside, 1 from ``REACH`` on.

    The outline runs between pixels, half a pixel from the centres on both sides.

    Args:
        masks: bool ``[N, h, w]``.

    Returns:
        float32 -1..1 ``[N, h, w]``; -1 where there is no mask, 1 where there is nothing else.
    """
    inner, outer = distance_to(~masks) - 0.5, distance_to(masks) - 0.5
    return (torch.where(masks, inner, -outer) / (masks.shape[1] * REACH)).clamp(-1, 1)


def between(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """How much a pixel lies where two people meet (after Ronneberger et al., 2015, arXiv:1505.04597).

    Args:
        first: bool ``[N, h, w]``.
        second: bool ``[N, h, w]``.

    Returns:
        float32 0..1 ``[N, h, w]``: 1 where both are, near 0 where either is far off or isn't there.
    """
    spread = first.shape[1] * GAP
    return torch.exp(-((distance_to(first) + distance_to(second)) ** 2) / (2 * spread**2))
