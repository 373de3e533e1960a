"""Segments without a caller: for the service itself, such as its canary images, and for programs around it."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from hiseg.api.exchange import Write
from hiseg.api.options import Boxes, FindDefaults, Options
from hiseg.core.image import ImageSource
from hiseg.core.result import Result
from hiseg.masks.memory import NOTHING, WritingCost
from hiseg.segmenter import Segmenter

T = TypeVar("T")


async def segment_embedded(
    segmenter: Segmenter,
    image: bytes | ImageSource,
    boxes: Boxes,
    options: Options,
    model: str,
    write: Write[T],
    *,
    client: str = "",
    deadline: float | None = None,
    cost: WritingCost = NOTHING,
    finding: FindDefaults | None = None,
) -> tuple[Result, T]:
    """Segment for the service itself or a program around it: no caller, so no quota and no metrics.

    Args:
        segmenter: runs the job; it need not take requests yet.
        image: encoded, or decoded already.
        boxes: boxes of the people; see :data:`Boxes`.
        options: what to do; the variant and ``deadline_ms`` are not looked at.
        model: name of the model.
        write: writes the answer.
        client: whose share of the engine it uses.
        deadline: when the answer is of no use any more, on :func:`time.monotonic`'s clock; None: never.
        cost: what ``write`` takes of memory.
        finding: how people are found by default; None: there is no model for it.

    Returns:
        The result and what ``write`` returned.

    Raises:
        HisegError: the image or the boxes are invalid, or what :meth:`Segmenter.segment` raises.
    """
    job = options.to_job(image, boxes, segmenter.limits, model, client=client, deadline=deadline, finding=finding)
    with segmenter.admission.reserve(client) as reservation:
        return await segmenter.segment(job, reservation, partial(write, job.image), cost)
