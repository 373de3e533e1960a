"""Outlines in label maps and pixels' distances to them: targets and weights of losses, never differentiated.

Lengths are in pixels of the label map and scale with it, so that the band along a person's outline is the same fraction
of the person at every mask size.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

BAND = 1 / 64
"""Half the width of an outline's band as a fraction of the map's height: 2 pixels on each side at 128x96."""
REACH = 1 / 8
"""Distance to the outline at which a distance map reaches 1, as a fraction of the map's height: 16 pixels at 128x96."""
GAP = 1 / 32
"""Standard deviation of the weight between two people as a fraction of the map's height: 4 pixels at 128x96."""


def band_radius(height: int) -> int:
    """Pixels on each side of an outline that belong to its band in a map of ``height`` rows; at least one."""
    return max(1, round(height * BAND))


def outline_band(labels: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """Pixels within :func:`band_radius` of a change of label.

    A person cut off by the map's edge, or by unknown pixels, has no outline there: how it goes on is unknown.

    Args:
        labels: bool or int64 ``[N, h, w]``.
        known: bool ``[N, h, w]``, False where the label says nothing.

    Returns:
        bool ``[N, h, w]``; along a straight outline the band is ``2 * band_radius(h)`` pixels wide.
    """
    radius, values = band_radius(labels.shape[1]), labels.float()
    highest, lowest = (_max_around(torch.where(known, v, -torch.inf), radius) for v in (values, -values))
    return highest > -lowest


def _max_around(values: torch.Tensor, radius: int) -> torch.Tensor:
    """Maximum of float ``[N, h, w]`` in a square window of ``2 * radius + 1`` around each pixel, inside the map.

    First along rows, then along columns: that takes a thirtieth of the time of a square window.
    """
    along = F.max_pool1d(values, 2 * radius + 1, stride=1, padding=radius)
    return F.max_pool1d(along.mT, 2 * radius + 1, stride=1, padding=radius).mT


def distance_to(masks: torch.Tensor) -> torch.Tensor:
    """Euclidean distance from each pixel's centre to the centre of the nearest pixel of its mask.

    Args:
        masks: bool ``[N, h, w]``.

    Returns:
        float32 ``[N, h, w]`` in pixels, 0 inside the mask; ``h + w`` everywhere if the mask is empty.
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
    # Squares of such distances are integers. Rounding removes OpenCV's last bit, which differs from call to call, so
    # that runs can be repeated exactly.
    exact = np.sqrt(np.rint(np.square(np.stack(found))))
    return torch.from_numpy(exact).to(masks.device)


def signed_distance(masks: torch.Tensor) -> torch.Tensor:
    """Distance to each mask's outline in units of :data:`REACH`, positive inside and negative outside, cut at 1.

    The outline runs between pixels, half a pixel from the centres on both sides.

    Args:
        masks: bool ``[N, h, w]``.

    Returns:
        float32 -1..1 ``[N, h, w]``; -1 everywhere if the mask is empty, 1 if it covers the map.
    """
    inner, outer = distance_to(~masks) - 0.5, distance_to(masks) - 0.5
    return (torch.where(masks, inner, -outer) / (masks.shape[1] * REACH)).clamp(-1, 1)


def proximity_weight(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Weight of pixels that lie between two close masks (after Ronneberger et al., 2015, arXiv:1505.04597).

    Args:
        first: bool ``[N, h, w]``.
        second: bool ``[N, h, w]``.

    Returns:
        float32 0..1 ``[N, h, w]``: 1 where both masks are, near 0 where either is far away or empty.
    """
    spread = first.shape[1] * GAP
    return torch.exp(-((distance_to(first) + distance_to(second)) ** 2) / (2 * spread**2))
