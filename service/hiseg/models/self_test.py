"""What a model is run on before it gets anybody's request: its canary image, random input, and its warm-up batches."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from hiseg.batching.admission import Admission
from hiseg.batching.batcher import Batcher
from hiseg.batching.workers import Workers
from hiseg.core.errors import HisegError
from hiseg.core.image import Floats, Size
from hiseg.engines.base import Batch, BatchMeta, Engine, ModelInfo, Outputs, Prediction
from hiseg.engines.metadata import one_line
from hiseg.images.limits import ImageLimits
from hiseg.models.canary import Canary
from hiseg.models.random_inputs import random_batch
from hiseg.segmenter import Segmenter

if TYPE_CHECKING:
    from hiseg.engines.onnx import OnnxEngine

UNLIMITED_BYTES = 2**62
"""Memory limit of the admission control that a self-test goes through: in effect none."""
WARM_UP_PEOPLE = (0, 8)
"""RoI counts for the warm-up of an engine that names none itself; without masks there is nobody."""
CHECKED_BATCHES = ((1, 0), (1, 1), (1, 3), (2, 3))
"""(images, people) of the batches that a file is checked with on its first canvas; the other canvases get (1, 1)."""
CHECKED_FOREGROUND = ((1, 0), (2, 0))
"""The same for a model without masks, whose other canvases get (1, 0)."""
CHECK_REPEATS = 3


class SelfTestFailed(Exception):
    """The output of a model can't be masks; the text says why."""


@dataclass(frozen=True, slots=True)
class TimedBatch:
    """A batch of random input that a model was run on.

    Attributes:
        canvas: (height, width) in pixels.
        images: number of images in the batch.
        people: number of people in the batch.
        ms: median of a few runs, in milliseconds.
    """

    canvas: Size
    images: int
    people: int
    ms: float


async def run_self_test(engine: Engine, repository: Path | None) -> None:
    """Run a model on its canary image, if there is one beside this very version in the local repository (None: there
    is no such repository).

    Without a canary image the model is run on random input, and must give masks of the right shape.

    Raises:
        CanaryMismatch: the masks are not those that the version was published with.
        SelfTestFailed: the output can't be masks.
        Exception: what the engine raises.
    """
    info = engine.info
    canary = Canary.load(repository / info.ref.name / info.ref.version) if repository else None
    if canary is None:
        batch = random_batch(info.canvases[0], 1, 2 if info.has_masks else 0, info.outputs)
        if problem := find_problem(await engine.infer(batch), batch, info):
            raise SelfTestFailed(f"{info.ref.name}: random input gave an unusable result: {problem}")
        return
    with ThreadPoolExecutor(1, thread_name_prefix="self-test") as executor:
        workers = Workers(executor)
        limits = ImageLimits(len(canary.photo), canary.masks.size)
        segmenter = Segmenter(workers, limits, Admission(UNLIMITED_BYTES))
        async with Batcher(engine, workers).running() as batcher:
            segmenter.batchers[info.ref.name] = batcher
            await canary.check(segmenter, info.ref.name)


def check_batches(engine: OnnxEngine) -> tuple[list[TimedBatch], list[str]]:
    """Run an engine on random batches of several sizes, on every canvas.

    Returns:
        The batches with the time that each took, and what is wrong with their results, one sentence each.
    """
    timed, problems = [], []
    first, *others = engine.info.canvases
    people, batches = int(engine.info.has_masks), CHECKED_BATCHES if engine.info.has_masks else CHECKED_FOREGROUND
    sizes = [(first, *batch) for batch in batches] + [(canvas, 1, people) for canvas in others]
    for canvas, images, people in sizes:
        batch = random_batch(canvas, images, people, engine.info.outputs)
        name = f"{images} x {canvas[0]}x{canvas[1]} with {people} people"
        times = []
        try:
            for _ in range(CHECK_REPEATS):
                started = time.perf_counter()
                prediction = engine.run(batch)
                times.append((time.perf_counter() - started) * 1000)
        except Exception as error:
            problems.append(f"{name}: {one_line(error)}")
            continue
        if problem := find_problem(prediction, batch, engine.info):
            problems.append(f"{name}: {problem}")
        timed.append(TimedBatch(canvas, images, people, round(statistics.median(times), 2)))
    return timed, problems


def find_problem(prediction: Prediction, batch: Batch, info: ModelInfo) -> str | None:
    """What is wrong with the shapes or values of a prediction for ``batch``; None if nothing is."""
    masks, foreground = prediction.logit_margins, prediction.foreground
    has_foreground = Outputs.FOREGROUND in info.outputs
    canvas = batch.images.shape[2:] if has_foreground else (0, 0)
    fits = foreground.shape[1:] == canvas
    if info.is_finder:
        fits = all(1 <= side <= whole for side, whole in zip(foreground.shape[1:], canvas, strict=True))
    if masks.shape != (len(batch.rois), *info.mask_size) or len(foreground) != len(batch.images) or not fits:
        return f"masks and foreground come in shapes {masks.shape} and {foreground.shape}"
    if not np.isfinite(masks).all():
        return "some masks aren't finite"
    if has_foreground and not 0 <= foreground.min() <= foreground.max() <= 1:
        return "the foreground isn't within 0..1"
    return _problem_of_boxes(prediction.boxes, len(batch.images)) if info.is_finder else None


def _problem_of_boxes(boxes: Floats, images: int) -> str | None:
    """What is wrong with the people that a finder found, ``[M, 6]``, in so many images; None if nothing is."""
    if boxes.ndim != 2 or boxes.shape[1] != 6:
        return f"boxes come in shape {boxes.shape}"
    if not np.isfinite(boxes).all():
        return "some boxes aren't finite"
    if not np.isin(boxes[:, 0], np.arange(images)).all():
        return "some boxes belong to no image"
    if not ((boxes[:, 5] >= 0) & (boxes[:, 5] <= 1)).all():
        return "the boxes' scores aren't within 0..1"
    return None


async def warm_up(batcher: Batcher, quick: bool = False) -> None:
    """Run every shape of batch that the engine will get, so that no caller pays for its first run.

    These are all canvases, with each RoI count if the engine names its counts. Each shape is run twice; the second run
    teaches the cost model.

    Args:
        batcher: batcher of the engine.
        quick: run one canvas only if the engine runs all shapes alike, because callers wait or share the machine.

    Raises:
        SelfTestFailed: the model can't run one of them.
        HisegError: the engine went away.
    """
    engine = batcher.engine
    for images, people, canvas in _warm_up_shapes(batcher, quick):
        rois: Floats = np.tile(np.array([[0, 0.25, 0.25, 0.75, 0.75]], dtype=np.float32), (people, 1))
        batch = Batch(np.zeros((images, 3, *canvas), dtype=np.uint8), rois, BatchMeta(engine.info.outputs))
        try:
            await engine.infer(batch)
            started = batcher.clock()
            await engine.infer(batch)
        except HisegError:
            raise
        except Exception as error:
            what = f"{images} x {canvas[0]}x{canvas[1]} with {people} people"
            raise SelfTestFailed(f"{engine.info.ref.name}: it can't run {what}: {one_line(error)}") from error
        batcher.cost_model.observe(images, people, (batcher.clock() - started) * 1000)


def _warm_up_shapes(batcher: Batcher, quick: bool) -> Iterator[tuple[int, int, Size]]:
    """Numbers of images and of people, and the canvas, of each batch to warm up with."""
    engine, limits = batcher.engine, batcher.limits
    without = WARM_UP_PEOPLE if engine.info.has_masks else (0,)
    counts = [count for count in engine.roi_counts if count <= limits.rois] or without
    canvases = engine.info.canvases[:1] if quick and not engine.roi_counts else engine.info.canvases
    for canvas in canvases:
        most = max(1, min(limits.images, limits.bytes // (3 * canvas[0] * canvas[1]))) if engine.roi_counts else 1
        for images in range(1, most + 1):
            for people in counts:
                yield images, people, canvas
