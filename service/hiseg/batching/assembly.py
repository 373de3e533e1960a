"""Puts the inputs of several jobs together into one batch, and takes the batch's output apart again.

The two functions must mirror each other: every job has to get exactly its own rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hiseg.batching.job import Prepared
from hiseg.core.image import Floats
from hiseg.engines.base import Batch, BatchMeta, Prediction


def assemble(members: Sequence[Prepared], roi_counts: Sequence[int] = (), meta: BatchMeta | None = None) -> Batch:
    """Put the members' images, uint8 ``[3, H, W]``, and RoIs, float32 ``[N, 4]``, together in their order.

    Args:
        members: at least one; all on the same canvas.
        roi_counts: numbers of RoIs that the engine was warmed up for, ascending. The RoIs are padded to the next of
            them with rows without area, which show no person and hide none. Empty, or all too small: no padding.
        meta: goes to the engine with the batch; None: its defaults.

    Returns:
        Images uint8 ``[B, 3, H, W]`` and RoIs float32 ``[N, 5]``, rows ``batch_index x1 y1 x2 y2``.
    """
    # A lone image is not copied.
    images = members[0].image[None] if len(members) == 1 else np.stack([member.image for member in members])
    total = sum(len(member.rois) for member in members)
    rois: Floats = np.zeros((next((count for count in roi_counts if count >= total), total), 5), dtype=np.float32)
    start = 0
    for index, member in enumerate(members):
        end = start + len(member.rois)
        rois[start:end, 0] = index
        rois[start:end, 1:] = member.rois
        start = end
    return Batch(images, rois, meta or BatchMeta())


def scatter(prediction: Prediction, members: Sequence[Prepared]) -> list[Prediction]:
    """Take a prediction apart into each member's own.

    Args:
        prediction: output for the batch that :func:`assemble` made of the members: ``logit_margins`` float32
            ``[N, mask_h, mask_w]``, ``foreground`` float32 ``[B, H, W]``, ``boxes`` float32 ``[M, 6]``.
        members: those of the batch, in the same order.

    Returns:
        For each member ``logit_margins`` ``[n, mask_h, mask_w]`` of its own RoIs, ``foreground`` ``[1, H, W]`` and
        ``boxes`` ``[m, 6]`` of its own image, whose index is 0 there.
    """
    parts, start = [], 0
    for index, member in enumerate(members):
        end = start + len(member.rois)
        logit_margins, foreground = prediction.logit_margins[start:end], prediction.foreground[index : index + 1]
        boxes = prediction.boxes[prediction.boxes[:, 0] == index]
        boxes[:, 0] = 0
        parts.append(replace(prediction, logit_margins=logit_margins, foreground=foreground, boxes=boxes))
        start = end
    return parts
