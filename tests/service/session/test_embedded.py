"""Models in this process: only those that are asked for are loaded, and masks are those of the service's own parts."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.paths import PUBLISHED, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from hiseg.api.options import Options
from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.core.result import Result
from hiseg.engines.contract import ModelError
from hiseg.images.encoded import inspect
from hiseg.images.limits import UNLIMITED
from hiseg.models.repository import NoDefaultVariant, NoModels
from hiseg.session.embedded import EmbeddedSegmenter, embedded_segmenter
from hiseg.settings import Settings


@pytest.fixture(scope="module")
def damaged_beside_b0(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """B0, and beside it a model of variant b1 that can't be opened."""
    repository = tmp_path_factory.mktemp("models")
    shutil.copytree(REPOSITORY / "hiseg_b0", repository / "hiseg_b0", copy_function=os.link)
    (repository / "damaged_b1" / "1").mkdir(parents=True)
    (repository / "damaged_b1" / "1" / "model.onnx").write_bytes(b"no model")
    return repository


async def masks(segmenter: EmbeddedSegmenter, options: Options | None = None) -> Result:
    result, size = await segmenter.segment(
        SAMPLE.read_bytes(), SAMPLE_BOXES, options or Options(), lambda image, *_: (image.width, image.height)
    )
    assert size == (result.width, result.height)
    return result


def test_only_the_model_that_is_asked_for_is_opened(damaged_beside_b0: Path) -> None:
    async def scenario() -> tuple[Result, Result]:
        async with embedded_segmenter(Settings(model_repository=damaged_beside_b0)) as by_default:
            first = await masks(by_default)
        async with embedded_segmenter(Settings(model_repository=damaged_beside_b0), model="hiseg_b0") as by_name:
            assert by_name.model.ref.name == "hiseg_b0"
            return first, await masks(by_name)

    first, second = asyncio.run(scenario())
    for one, other in zip(first.instances, second.instances, strict=True):
        np.testing.assert_array_equal(one.mask.pixels, other.mask.pixels)


def test_another_variant_is_loaded_when_a_job_asks_for_it() -> None:
    async def scenario() -> list[str]:
        async with embedded_segmenter(Settings(model_repository=PUBLISHED)) as segmenter:
            jobs = [masks(segmenter, Options(variant=variant)) for variant in (None, "b1", "b1")]
            return [result.model.variant for result in await asyncio.gather(*jobs)]

    assert asyncio.run(scenario()) == ["b0", "b1", "b1"]


@pytest.mark.parametrize(
    ("settings", "asked", "error", "words"),
    [
        ({}, {"model": "hiseg_b9"}, InvalidRequest, "model 'hiseg_b9' is not served; there is hiseg_b0"),
        ({}, {"variant": "b9"}, InvalidRequest, "variant 'b9' is not served; there is b0"),
        ({}, {"model": "hiseg_b0", "variant": "b1"}, InvalidRequest, "one of the two is enough"),
        (
            {"default_variant": "b9"},
            {},
            NoDefaultVariant,
            "default_variant is 'b9', and there is hiseg_b0 of variant b0",
        ),
        ({"model_repository": Path("/nowhere")}, {}, NoModels, "there is no folder /nowhere"),
    ],
)
def test_what_is_not_there(
    settings: dict[str, object], asked: dict[str, str], error: type[Exception], words: str
) -> None:
    async def scenario() -> None:
        chosen = Settings.model_validate({"model_repository": REPOSITORY} | settings)
        async with embedded_segmenter(chosen, **asked):
            raise AssertionError

    with pytest.raises(error, match=words):
        asyncio.run(scenario())


def test_a_damaged_file_is_named_where_the_default_variant_is_missing(tmp_path: Path) -> None:
    (tmp_path / "mine" / "1").mkdir(parents=True)
    (tmp_path / "mine" / "1" / "model.onnx").write_bytes(b"no model")

    async def scenario() -> None:
        async with embedded_segmenter(Settings(model_repository=tmp_path)):
            raise AssertionError

    with pytest.raises(ModelError, match="mine"):
        asyncio.run(scenario())


def test_limits_of_images_and_boxes_are_those_of_the_settings() -> None:
    async def scenario() -> None:
        settings = Settings(model_repository=REPOSITORY, max_boxes=1, max_image_pixels=1000)
        async with embedded_segmenter(settings) as segmenter:
            with pytest.raises(TooLarge, match="2 boxes were sent; at most 1 are taken"):
                await masks(segmenter)
            with pytest.raises(TooLarge, match="at most 1000 are taken"):
                await segmenter.segment(SAMPLE.read_bytes(), SAMPLE_BOXES[:1], Options(), lambda *_: None)
            image = inspect(SAMPLE.read_bytes(), UNLIMITED)  # who makes an image source has checked it
            result, _ = await segmenter.segment(image, SAMPLE_BOXES[:1], Options(), lambda *_: None)
            assert result.instances[0].area

    asyncio.run(scenario())
