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

from benchmarks.harness.echo import EchoEngine, echoing
from benchmarks.harness.repository import REPOSITORY
from hiseg.engines.base import Outputs
from hiseg.models.canary import BOXES, MASKS, PHOTO, Canary, CanaryMismatch, segment_to_label_map
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


def test_where_nobody_was_found_nobody_is_right() -> None:
    """As with models that have hardly learnt; here the second of two boxes is hidden by the first."""
    canary = stored()
    boxes = [canary.boxes[0], canary.boxes[0]]

    async def scenario(segmenter: Segmenter) -> None:
        masks = await segment_to_label_map(segmenter, "hiseg_b0", canary.photo, boxes)
        assert len(np.unique(masks)) == 2, "nobody and one of the two"
        await replace(canary, boxes=boxes, masks=masks).check(segmenter, "hiseg_b0")
        with pytest.raises(CanaryMismatch, match=r"of the canary image has IoU 0\.000"):
            await replace(canary, boxes=boxes, masks=np.zeros_like(masks)).check(segmenter, "hiseg_b0")

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


def test_a_model_without_masks_must_give_its_foreground(tmp_path: Path) -> None:
    async def scenario() -> None:
        engine = EchoEngine(outputs=Outputs.FOREGROUND)
        async with echoing(engine) as segmenter:
            photo = stored().photo
            masks = await segment_to_label_map(segmenter, "echo", photo, [])
            assert set(np.unique(masks)) == {0, 1}
            Canary(photo, [], masks).save(tmp_path)
            loaded = Canary.load(tmp_path)
            assert loaded is not None
            assert loaded.boxes == []
            await loaded.check(segmenter, "echo")
            with pytest.raises(CanaryMismatch, match="mask 1 of the canary image has IoU"):
                await replace(loaded, masks=1 - masks).check(segmenter, "echo")

    asyncio.run(scenario())
