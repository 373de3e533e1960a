"""A model must reproduce the masks of the canary image that it was published with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.repository import REPOSITORY
from hiseg.models.canary import BOXES, MASKS, PHOTO, Canary, CanaryMismatch
from hiseg.models.running import models_running, new_segmenter
from hiseg.observability.metrics import Metrics
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings

VERSION = REPOSITORY / "hiseg_b0" / "1"


def with_b0(scenario: Callable[[Segmenter], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        with ThreadPoolExecutor(1) as workers:
            settings = Settings(model_repository=REPOSITORY)
            segmenter = new_segmenter(settings, workers)
            async with models_running(segmenter, settings, Metrics()):
                await scenario(segmenter)

    asyncio.run(run())


def stored() -> Canary:
    canary = Canary.load(VERSION)
    assert canary is not None
    return canary


def test_the_published_model_gives_its_stored_masks() -> None:
    canary = stored()
    assert set(np.unique(canary.masks)) == {0, 1, 2}
    with_b0(lambda segmenter: canary.check(segmenter, "hiseg_b0"))


def test_other_masks_are_noticed() -> None:
    canary = stored()
    shifted = replace(canary, masks=np.roll(canary.masks, 10, axis=1))

    async def scenario(segmenter: Segmenter) -> None:
        with pytest.raises(CanaryMismatch, match=r"hiseg_b0: mask 1 of the canary image has IoU 0\.9"):
            await shifted.check(segmenter, "hiseg_b0")

    with_b0(scenario)


def test_a_model_that_finds_nobody_may_go_on_finding_nobody() -> None:
    """As models do that have hardly learnt; what finds somebody where nobody was is another one."""
    canary = stored()
    beyond = [2000.0, 10.0, 2100.0, 100.0]

    async def scenario(segmenter: Segmenter) -> None:
        nobody = replace(canary, boxes=[beyond], masks=np.zeros_like(canary.masks))
        await nobody.check(segmenter, "hiseg_b0")
        with pytest.raises(CanaryMismatch, match=r"mask 1 of the canary image has IoU 0\.000"):
            await replace(nobody, boxes=canary.boxes).check(segmenter, "hiseg_b0")

    with_b0(scenario)


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    canary = stored()
    canary.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {PHOTO, BOXES, MASKS}
    loaded = Canary.load(tmp_path)
    assert loaded is not None
    assert (loaded.photo, loaded.boxes) == (canary.photo, canary.boxes)
    np.testing.assert_array_equal(loaded.masks, canary.masks)


def test_a_canary_is_optional(tmp_path: Path) -> None:
    assert Canary.load(tmp_path) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (BOXES, b"no JSON"),
        (BOXES, b"[[1, 2, 3]]"),
        (BOXES, b'{"a": 1}'),
        (BOXES, b"[" * 100_000),
        (BOXES, b"[[1, 2, 3, Infinity]]"),
        (MASKS, b"no picture"),
        (MASKS, b""),
    ],
)
def test_a_damaged_canary_is_refused_in_one_line(name: str, content: bytes, tmp_path: Path) -> None:
    stored().save(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CanaryMismatch, match="the canary image") as caught:
        Canary.load(tmp_path)
    assert "\n" not in str(caught.value)
