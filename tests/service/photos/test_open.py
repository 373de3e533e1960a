"""A model in this process and a running service make the same masks of photos, and say the same of bad ones."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.repository import REPOSITORY
from benchmarks.harness.serving import Server
from hiseg.client import AsyncClient
from hiseg.client.request import FrameOptions
from hiseg.client.result import Result
from hiseg.core.command_errors import CommandError
from hiseg.photos.open import open_masker
from hiseg.photos.pipeline import PhotoError
from hiseg.photos.remote import RemoteMasker
from hiseg.settings import Settings
from tests.service.client import scripted_servers
from tests.service.client.scripted_servers import Step

BAD = [
    (b"", SAMPLE_BOXES, "empty"),
    (b"GIF89a", SAMPLE_BOXES, "GIF"),
    (SAMPLE.read_bytes(), [[9.0, 9.0, 1.0, 1.0]], "empty"),
]


def settings() -> Settings:
    return Settings(model_repository=REPOSITORY)


async def masks(server: str | None) -> tuple[Result, list[str]]:
    async with open_masker({"threshold": 0.6}, settings, server) as masker:
        told = []
        for photo, boxes, _ in BAD:
            with pytest.raises(PhotoError) as caught:
                await masker.segment(photo, boxes, lambda result: result)
            told.append(str(caught.value))
        result = await masker.segment(SAMPLE.read_bytes(), SAMPLE_BOXES, lambda result: result)
        assert masker.model in (None, f"{result.model.name}/{result.model.version}")
        return result, told


def test_all_maskers_make_the_same_masks(server: Server) -> None:
    here, told_here = asyncio.run(masks(None))
    for url in (server.url, server.grpc):
        there, told_there = asyncio.run(masks(url))
        assert told_there == told_here
        assert [one.rle for one in there.instances] == [one.rle for one in here.instances]
        assert [one.area for one in there.instances] == [one.mask.sum() for one in here.instances]
        np.testing.assert_allclose([one.score for one in there.instances], [one.score for one in here.instances], 1e-6)
    for told, (*_, expected) in zip(told_here, BAD, strict=True):
        assert expected in told


def test_a_photo_may_have_more_people_than_a_service_takes() -> None:
    async def run() -> Result:
        async with open_masker({}, settings) as masker:
            boxes = [[22.0 + index, 15.0, 60.0 + index, 100.0] for index in range(150)]
            return await masker.segment(SAMPLE.read_bytes(), boxes, lambda result: result)

    assert len(asyncio.run(run()).instances) == 150


def test_a_server_that_is_not_there_is_told_of_at_once() -> None:
    async def run(url: str) -> None:
        async with open_masker({}, settings, url):
            pytest.fail("there is no service")

    with pytest.raises(CommandError, match=r"^http://127.0.0.1:9: no connection"):
        asyncio.run(run("http://127.0.0.1:9"))
    with pytest.raises(CommandError, match=r"--server: 'here' can't be used"):
        asyncio.run(run("here"))


def test_a_model_that_a_server_does_not_have_is_told_of_before_any_photo(server: Server) -> None:
    async def run(url: str, options: FrameOptions) -> None:
        async with open_masker(options, settings, url):
            pytest.fail("there is no such model")

    for url in (server.url, server.grpc):
        with pytest.raises(CommandError, match=r"model 'b9' is not served; there is hiseg_b0"):
            asyncio.run(run(url, {"model": "b9"}))
    with pytest.raises(CommandError, match=r"variant 'b9' is not served; there is b0"):
        asyncio.run(run(server.url, {"variant": "b9"}))


def test_a_photo_is_sent_again_where_the_connection_ends_but_not_forever() -> None:
    async def run(url: str) -> Result:
        async with AsyncClient(url) as to:
            return await RemoteMasker(to, url, {}).segment(SAMPLE.read_bytes(), [], lambda result: result)

    with scripted_servers.http([Step(drop=True), Step(drop=True), Step()]) as heard:
        assert asyncio.run(run(heard.url)).width == 4
    with scripted_servers.http([Step(drop=True)]) as heard, pytest.raises(PhotoError, match="the connection ended"):
        asyncio.run(run(heard.url))
    assert len(heard.times) == 3
