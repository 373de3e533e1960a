"""What the assembled service needs before it accepts requests."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.repository import REPOSITORY
from hiseg.app import models_ready
from hiseg.batching.admission import State
from hiseg.models.canary import Canary, CanaryMismatch
from hiseg.models.repository import NoDefaultVariant
from hiseg.models.running import new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings


def start(settings: Settings) -> State:
    """The state in which a service with these settings comes to be."""

    async def scenario() -> State:
        with ThreadPoolExecutor(1) as workers:
            segmenter = new_segmenter(settings, workers)
            assert segmenter.admission.state is State.STARTING
            async with models_ready(segmenter, settings, Metrics()):
                return segmenter.admission.state

    return asyncio.run(scenario())


def test_ready_once_the_canary_passes() -> None:
    assert start(Settings(model_repository=REPOSITORY)) is State.READY


def test_never_ready_with_another_models_masks(tmp_path: Path) -> None:
    version = tmp_path / "hiseg_b0" / "1"
    shutil.copytree(REPOSITORY / "hiseg_b0" / "1", version)
    canary = Canary.load(version)
    assert canary is not None
    Canary(canary.photo, canary.boxes, np.asarray(canary.masks.T.copy().reshape(canary.masks.shape))).save(version)
    with pytest.raises(CanaryMismatch):
        start(Settings(model_repository=tmp_path))


def test_never_ready_without_the_default_variant() -> None:
    with pytest.raises(NoDefaultVariant, match="'b7', and there is hiseg_b0 of variant b0"):
        start(Settings(model_repository=REPOSITORY, default_variant="b7"))
