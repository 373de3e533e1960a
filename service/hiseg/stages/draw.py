"""Draws the masks of a job that has come back from the engine, and writes the answer of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np

from hiseg.batching.job import BatchJob
from hiseg.core.box import Box
from hiseg.core.canvas import Placement
from hiseg.core.forks import native_work
from hiseg.core.job import Job, Mode
from hiseg.core.result import ForegroundSource, Instance, Result
from hiseg.core.stop import NEVER, Stop
from hiseg.engines.base import Outputs
from hiseg.masks.draw import draw_masks
from hiseg.masks.logits import log_odds
from hiseg.masks.union import unite
from hiseg.observability.tracing import Stage
from hiseg.stages.find import FoundPeople

T = TypeVar("T")


def draw_and_write(
    job: Job,
    boxes: Sequence[Box],
    placement: Placement,
    batch_job: BatchJob,
    write: Callable[[Result, Stop], T],
    stop: Stop = NEVER,
    found: FoundPeople | None = None,
) -> tuple[Result, T]:
    """Draw the masks of a job that has come back from the engine, and write the answer; both are timed.

    Args:
        job: what is requested, with the boxes that were found after those that were sent.
        boxes: its boxes, clipped to the image.
        placement: where the image lies on its canvas.
        batch_job: the job as it came back.
        write: makes the answer.
        stop: looked at between the steps.
        found: the people that were found before; None: nobody was looked for.

    Raises:
        Exception: what :meth:`Stop.check` or ``write`` raises.
    """
    started = time.perf_counter()
    with native_work():
        result = draw(job, boxes, placement, batch_job, stop, found)
    drawn = time.perf_counter()
    timings = result.timings_ms
    stages = [found.job, batch_job] if found else [batch_job]
    timings["decode"] = sum(each.decode_ms for each in stages)
    timings["queue"] = sum(each.queue_ms for each in stages)
    if found:
        timings["find"] = found.job.infer_ms
    timings |= {
        "infer": batch_job.infer_ms,
        "masks": (drawn - started) * 1000,
    }
    answer = write(result, stop)
    timings["encode"] = (time.perf_counter() - drawn) * 1000
    return result, answer


def draw(
    job: Job,
    boxes: Sequence[Box],
    placement: Placement,
    batch_job: BatchJob,
    stop: Stop = NEVER,
    found: FoundPeople | None = None,
) -> Result:
    """Draw an instance for each box, or in binary mode everybody at once; the result has no timings yet.

    Args:
        job: what is requested, and the size of the image.
        boxes: clipped to the image; some may be empty.
        placement: where the image lies on its canvas.
        batch_job: its prediction has the job's own rows: ``logit_margins`` float32 ``[N, mask_h, mask_w]``, one for
            each box that is not empty, or if that was requested ``foreground`` float32 ``[1, h, w]``.
        stop: looked at before each mask.
        found: the people of the last boxes, who were found; None: nobody was looked for.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    width, height, prediction = job.image.width, job.image.height, batch_job.prediction
    people: tuple[Instance, ...] = ()
    if batch_job.requested is Outputs.FOREGROUND:
        content_h, content_w = placement.content
        foreground = prediction.foreground[0]
        if foreground.shape != placement.canvas:  # a finder's, which sees fewer pixels
            foreground = np.asarray(cv2.resize(foreground, placement.canvas[::-1]), dtype=np.float32)
        odds = log_odds(foreground[:content_h, :content_w])
        (everybody,) = draw_masks([odds], [Box(0, 0, width, height)], width, height, job.post_processing, stop=stop)
        source = ForegroundSource.IMAGE
    else:
        margins, scale = prediction.logit_margins, prediction.crop_scale
        people = draw_masks(margins, boxes, width, height, job.post_processing, scale, stop)
        source = ForegroundSource.INSTANCES
    finder = None
    if found:
        finder, sent = found.job.prediction.model, len(people) - len(found.scores)
        marked = (replace(each, found=score) for each, score in zip(people[sent:], found.scores, strict=True))
        people = (*people[:sent], *marked)
    notes, model = batch_job.prepared.notes + job.notes, prediction.model
    if job.mode is Mode.INSTANCE:
        return Result(width, height, notes, people, None, model, finder=finder)
    if source is ForegroundSource.INSTANCES:
        everybody = unite(people, width, height, stop)
    return Result(width, height, notes, (), everybody, model, foreground_source=source, united=people, finder=finder)


def list_stages(
    batch_job: BatchJob, timings_ms: Mapping[str, float], now: float, find_job: BatchJob | None = None
) -> list[Stage]:
    """List the stages of a request that ends now; its image is decoded while it waits in the queue.

    Args:
        batch_job: the request's job, as it came back from the batcher.
        timings_ms: milliseconds that each stage took.
        now: the time now, in seconds of the batcher's clock.
        find_job: the finder's job, which came back before and had the image decoded; None: nobody was looked for.
    """
    encode_s, first = timings_ms["encode"] / 1000, find_job or batch_job
    found = [Stage("find", now - first.began, first.infer_ms), _queue(batch_job, now)] if find_job else []
    return [
        _queue(first, now),
        Stage("decode", now - first.decode_began, first.decode_ms),
        *found,
        Stage("infer", now - batch_job.began, batch_job.infer_ms),
        Stage("masks", encode_s + timings_ms["masks"] / 1000, timings_ms["masks"]),
        Stage("encode", encode_s, timings_ms["encode"]),
    ]


def _queue(job: BatchJob, now: float) -> Stage:
    return Stage("queue", now - job.arrived, (job.began - job.arrived) * 1000)
