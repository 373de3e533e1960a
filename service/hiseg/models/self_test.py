"""An engine's first run, before it gets anybody's work: does it give masks that can be trusted?"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from hiseg.batching.admission import Admission
from hiseg.batching.batcher import Batcher
from hiseg.engines.base import Batch, Engine
from hiseg.images.encoded import ImageLimits
from hiseg.models.canary import Canary
from hiseg.observability.reports import BatchReport, DropReason
from hiseg.segmenter import Segmenter

NOBODYS_BYTES = 2**62
PEOPLE = np.array([[0, 0.25, 0.25, 0.75, 0.75], [0, 0.0, 0.0, 1.0, 1.0]], dtype=np.float32)


class SelfTestFailed(Exception):
    """What came back can't be masks; the text says why."""


class _Deaf:
    """A watcher: nobody counts a trial's batches."""

    def ran(self, report: BatchReport) -> None:
        pass

    def failed(self) -> None:
        pass

    def dropped(self, reason: DropReason) -> None:
        pass


async def try_out(engine: Engine, repository: Path) -> None:
    """Let it segment its canary picture, if there is one beside this very version in the local repository.

    Without one it must at least give rows of the right shape, finite, for a picture of noise.

    Raises:
        CanaryDied: the masks are not those that the version was published with.
        TrialFailed: what came back can't be masks.
        Exception: the engine's own.
    """
    ref = engine.info.ref
    canary = Canary.load(repository / ref.name / ref.version)
    if canary is None:
        await _try_noise(engine)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="trial") as workers:
        limits = ImageLimits(len(canary.photo), canary.masks.size)
        segmenter = Segmenter(workers, limits, Admission(NOBODYS_BYTES))
        async with Batcher(engine, workers, _Deaf()).running() as batcher:
            segmenter.batchers[ref.name] = batcher
            await canary.check(segmenter, ref.name)


async def _try_noise(engine: Engine) -> None:
    info = engine.info
    canvas = info.canvases[0]
    images = np.random.default_rng(0).integers(0, 256, (1, 3, *canvas), dtype=np.uint8)
    made = await engine.infer(Batch(images, PEOPLE))
    shapes = made.logit_margins.shape, made.foreground.shape
    if shapes != ((len(PEOPLE), *info.mask_size), (1, *canvas)):
        raise SelfTestFailed(f"{info.ref.name}: two people on {canvas} gave margins and foreground of shape {shapes}")
    if not (np.isfinite(made.logit_margins).all() and 0 <= made.foreground.min() <= made.foreground.max() <= 1):
        raise SelfTestFailed(f"{info.ref.name}: noise gave margins that aren't finite, or a foreground outside 0..1")
