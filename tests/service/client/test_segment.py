"""`segment` against the real service: both transports, both clients, every kind of image."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.serving import Server
from hiseg.client import AsyncClient, Client, Result
from hiseg.client.images import ImageLike
from tests.service.client.calls import KINDS, call, segment
from tests.service.images.colours import profiles
from tests.service.images.files import encoded, exif


@pytest.fixture(params=["http", "grpc"])
def url(server: Server, request: pytest.FixtureRequest) -> str:
    return server.url if request.param == "http" else server.grpc


def masks(result: Result) -> np.ndarray:
    return np.stack([instance.mask for instance in result.found])


def pixels() -> np.ndarray:
    with PIL.Image.open(SAMPLE) as picture:
        return np.asarray(picture.convert("RGB"))


def lazily() -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(SAMPLE.read_bytes()))


IMAGES: dict[str, Callable[[], ImageLike]] = {
    "path": lambda: SAMPLE,
    "text": lambda: str(SAMPLE),
    "bytes": SAMPLE.read_bytes,
    "bytearray": lambda: bytearray(SAMPLE.read_bytes()),
    "array": pixels,
    "pillow": lazily,
    "with alpha": lambda: lazily().convert("RGBA"),
}


@pytest.fixture(scope="module")
def expected(server: Server) -> Result:
    return segment("sync", server.url, SAMPLE, SAMPLE_BOXES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("image", IMAGES)
def test_both_transports_and_clients_give_the_same_masks(url: str, kind: str, image: str, expected: Result) -> None:
    found = segment(kind, url, IMAGES[image](), SAMPLE_BOXES)
    assert (found.width, found.height) == (expected.width, expected.height)
    assert found.model == expected.model
    assert set(found.timings_ms) == {"decode", "queue", "infer", "masks", "encode"}
    np.testing.assert_array_equal(masks(found), masks(expected))
    for one, other in zip(found.instances, expected.instances, strict=True):
        assert one.box == other.box
        assert one.score == pytest.approx(other.score)
        assert one.area == other.area == one.mask.sum()


@pytest.mark.parametrize("kind", KINDS)
def test_jpeg_gives_nearly_the_same_masks(url: str, kind: str, expected: Result) -> None:
    found = masks(segment(kind, url, pixels(), SAMPLE_BOXES, {"jpeg_quality": 95}))
    both = (found & masks(expected)).sum(axis=(1, 2)) / (found | masks(expected)).sum(axis=(1, 2))
    assert both.min() > 0.98


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "binary"},
        {"threshold": 0.8, "variant": "b0", "priority": "batch", "model": "hiseg_b0"},
        {"smoothing": "edge", "dilation_px": 7, "resolve_overlaps": True},
        {"box_format": "xywh"},
        {"box_format": "cxcywh", "normalized": True},
        {"timeout": 20, "mode": None},
    ],
)
def test_options_mean_the_same_on_both_transports(server: Server, options: dict[str, Any]) -> None:
    box = [0.4, 0.5, 0.2, 0.6] if options.get("normalized") else [100, 20, 250.5, 480]
    over_http = segment("sync", server.url, SAMPLE, [box], **options)
    over_grpc = segment("async", server.grpc, SAMPLE, [box], **options)
    np.testing.assert_array_equal(masks(over_http), masks(over_grpc))
    assert [instance.box for instance in over_http.found] == [instance.box for instance in over_grpc.found]
    assert (over_http.foreground is not None) == (over_grpc.foreground is not None) == (options.get("mode") == "binary")
    assert len(over_http.instances) == len(over_grpc.instances) == (options.get("mode") != "binary")


def test_no_boxes(url: str) -> None:
    assert segment("sync", url, SAMPLE, []).instances == ()


def test_more_boxes_than_a_query_holds(url: str) -> None:
    boxes = [[x + 1 / 3, 10 + 1 / 7, x + 100 + 1 / 9, 400 + 1 / 11] for x in range(30)]
    for kind in KINDS:
        found = segment(kind, url, SAMPLE, boxes)
        assert [instance.box for instance in found.instances] == [pytest.approx(box) for box in boxes]


def test_notes(url: str) -> None:
    grey_and_clear = PIL.Image.new("LA", (40, 30))
    assert segment("sync", url, grey_and_clear, []).notes == (
        "transparent: laid on white",
        "there are no boxes, so nobody was looked for",
    )


def coloured() -> dict[str, bytes]:
    """The sample in files whose colours, bits, transparency and orientation have to be converted."""
    with PIL.Image.open(SAMPLE) as sample:
        photo = sample.convert("RGB")
    p3, press = profiles.of_colours(profiles.DISPLAY_P3), profiles.of_press()
    faded = photo.convert("RGBA")
    faded.putalpha(PIL.Image.linear_gradient("L").resize(photo.size))
    grey = PIL.Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 16)
    return {
        "Display P3, turned": encoded(photo, "JPEG", icc_profile=p3, exif=exif(6)),
        "CMYK": encoded(photo.convert("CMYK"), "JPEG", icc_profile=press),
        "half transparent": encoded(faded, "PNG", icc_profile=p3),
        "WebP": encoded(faded, "WEBP", icc_profile=p3),
        "12 bits in 16": encoded(grey, "PNG"),
    }


@pytest.mark.parametrize("name", coloured())
def test_people_are_drawn_on_what_the_service_draws_on(server: Server, name: str) -> None:
    file = coloured()[name]
    boxes = [[20, 30, 300, 500]]
    result = segment("sync", server.url, file, boxes)
    query = {"boxes": "20,30,300,500", "mask_format": "overlay"}
    answer = httpx.post(f"{server.url}/v1/segment", params=query, content=file, timeout=60)
    with PIL.Image.open(io.BytesIO(answer.content)) as drawn:
        np.testing.assert_array_equal(result.overlay(file), np.asarray(drawn.convert("RGB")))
    assert result.notes


def test_cut_outs_are_as_opaque_as_the_image(server: Server) -> None:
    file = coloured()["half transparent"]
    query = {"boxes": "20,30,300,500", "mask_format": "cutout"}
    answer = httpx.post(
        f"{server.url}/v1/segment", params=query, content=file, headers={"accept": "image/png"}, timeout=60
    )
    (person,) = segment("sync", server.url, file, [[20, 30, 300, 500]]).instances
    with PIL.Image.open(io.BytesIO(file)) as image, PIL.Image.open(io.BytesIO(answer.content)) as cut:
        alpha = np.asarray(image.getchannel("A"))
        np.testing.assert_array_equal(np.asarray(cut.getchannel("A")), np.where(person.mask, alpha, 0))


def test_one_client_serves_many_threads(url: str, expected: Result) -> None:
    with Client(url) as client, ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: client.segment(SAMPLE, SAMPLE_BOXES), range(8)):
            np.testing.assert_array_equal(masks(found), masks(expected))


def test_one_client_serves_many_tasks(url: str, expected: Result) -> None:
    async def scenario() -> list[Result]:
        async with AsyncClient(url) as client:
            return await asyncio.gather(*(client.segment(SAMPLE, SAMPLE_BOXES) for _ in range(8)))

    for found in asyncio.run(scenario()):
        np.testing.assert_array_equal(masks(found), masks(expected))


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_service_says_of_itself(url: str, kind: str) -> None:
    assert call(kind, url, "ready") is True
    info = call(kind, url, "info")
    assert info["variants"] == ["b0"]
    assert info["modes"] == ["instance", "binary"]
    assert info["limits"]["boxes"] == 100
    assert info["limits"]["image_bytes"] == 20 * 1024 * 1024
