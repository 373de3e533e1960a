"""Jobs' inputs -> one batch, and the batch's output -> each job its own rows: the two must mirror each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hiseg.batching.work import Prepared
from hiseg.core.image import Floats
from hiseg.engines.base import Batch, BatchMeta, Prediction

ANY = BatchMeta()


def assemble(members: Sequence[Prepared], roi_counts: Sequence[int] = (), meta: BatchMeta = ANY) -> Batch:
    """One batch of the members' images and RoIs, in their order.

    Args:
        members: at least one; all on the same canvas.
        roi_counts: numbers of RoIs that the engine was warmed up for, ascending. The RoIs are padded to the next of
            them with rows without area, which show no person and hide none. Empty, or all too small: no padding.
        terms: what goes with the batch.
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
    return Batch(images, rois, meta)


def scatter(prediction: Prediction, members: Sequence[Prepared]) -> list[Prediction]:
    """Each member's part of a prediction for the batch that :func:`assemble` made of them."""
    parts, start = [], 0
    for index, member in enumerate(members):
        end = start + len(member.rois)
        logit_margins, foreground = prediction.logit_margins[start:end], prediction.foreground[index : index + 1]
        parts.append(replace(prediction, logit_margins=logit_margins, foreground=foreground))
        start = end
    return parts
