"""A person's crop as the fine stage learns from it, and several of them as one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from hiseg.core.image import Pixels


class CropSample(NamedTuple):
    """One person's crop: their box about its centre, and the context around the box.

    Attributes:
        pixels: uint8 ``[h, w, 3]`` RGB; 0 outside the photo.
        boxes: uint8 0/1 ``[2, h, w]``: inside the person's own box; inside at least one other person's box.
        aspect: of the own box in pixels of the photo, see :func:`hiseg_training.models.roi.box_aspect`.
        labels: uint8 ``[h, w]``: background, target, other people or unknown, as numbered in
            :mod:`hiseg_training.config.model`.
    """

    pixels: Pixels
    boxes: Pixels
    aspect: float
    labels: Pixels


class CropBatch(NamedTuple):
    """Crops of N people, all of one size.

    Attributes:
        pixels: uint8 ``[N, 3, h, w]`` RGB, in channels-last memory order.
        boxes: uint8 0/1 ``[N, 2, h, w]``: inside the person's own box; inside at least one other person's box.
        aspect: float32 ``[N]``, of the own box in pixels of the photo, see
            :func:`hiseg_training.models.roi.box_aspect`.
        labels: uint8 ``[N, h, w]``: background, target, other people or unknown, as numbered in
            :mod:`hiseg_training.config.model`.
    """

    pixels: torch.Tensor
    boxes: torch.Tensor
    aspect: torch.Tensor
    labels: torch.Tensor


def collate(samples: Sequence[CropSample]) -> CropBatch:
    """Stack at least one sample, all of one size, into a batch."""
    return CropBatch(
        torch.from_numpy(np.stack([sample.pixels for sample in samples])).permute(0, 3, 1, 2),
        torch.from_numpy(np.stack([sample.boxes for sample in samples])),
        torch.tensor([sample.aspect for sample in samples], dtype=torch.float32),
        torch.from_numpy(np.stack([sample.labels for sample in samples])),
    )
