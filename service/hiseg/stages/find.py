"""Chooses which of the people that a finder gave get masks, beside those whose boxes were sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hiseg.batching.job import BatchJob
from hiseg.core.box import Box
from hiseg.core.canvas import Placement
from hiseg.core.image import Floats
from hiseg.core.job import Finding
from hiseg.core.result import Found
from hiseg.stages.prepare import Preparing, preparing_again

SENT_IOU = 0.5
"""Intersection over union with a box that was sent from which on a found one is taken for the same person.

That is how detectors are judged (AP50): a box that overlaps so much is the person. It is under the 0.7 at which two
boxes that were *sent* are one person's, since drawn boxes and found ones differ by more than two that were drawn.
"""


@dataclass(frozen=True, slots=True)
class FoundPeople:
    """What the first stage of a request found.

    Attributes:
        boxes: in image pixels, within the image, none of them empty; the surest first.
        scores: how sure the finder is of each.
        notes: what the answer shall say of them.
        job: the finder's, as it came back.
        following: how the second stage has its input made.
    """

    boxes: tuple[Box, ...]
    scores: tuple[Found, ...]
    notes: tuple[str, ...]
    job: BatchJob
    following: Preparing


def choose_people(
    job: BatchJob, placement: Placement, following: Placement, sent: Sequence[Box], finding: Finding
) -> FoundPeople:
    """Choose the people that get masks: sure enough, not sent already, and at most so many.

    Args:
        job: came back from the finder, with its ``boxes``.
        placement: where the image lies on the finder's canvas.
        following: where it lies on the canvas of the second stage.
        sent: the boxes of the request, in image pixels.
        finding: how sure, and how many.
    """
    rows: Floats = job.prediction.boxes
    rows = rows[np.isfinite(rows).all(axis=1) & (rows[:, 5] >= finding.threshold)]
    rows = rows[np.argsort(-rows[:, 5], kind="stable")]
    found = [
        (box, Found(score))
        for box, score in zip(placement.boxes(rows[:, 1:5]), rows[:, 5].tolist(), strict=True)
        if not box.is_empty and all(box.iou(other) < SENT_IOU for other in sent)
    ]
    kept = found[: finding.max_people]
    notes: tuple[str, ...] = ()
    if len(found) > len(kept):
        notes = (f"{len(found)} people were found; the surest {len(kept)} of them are in the answer",)
    elif not found:
        notes = ("nobody else was found",) if sent else ("nobody was found",)
    again = preparing_again(job.prepared, placement, following)
    return FoundPeople(tuple(box for box, _ in kept), tuple(score for _, score in kept), notes, job, again)
