"""`stream` against the real service: one outcome per frame, in order, whatever happens."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import SAMPLE, SAMPLE_BOXES
from benchmarks.harness.serving import Server, serving
from hiseg.client import (
    AsyncClient,
    Client,
    Dropped,
    Failed,
    Frame,
    InvalidRequest,
    Outcome,
    Policy,
    RawFrame,
    Segmented,
    Unavailable,
)
from tests.service.client.calls import KINDS, segment, stream

HALF = [[11.0, 7.5, 182.5, 256.0]]


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    """The sample photo at half its size."""
    with PIL.Image.open(SAMPLE) as picture:
        small = picture.convert("RGB").resize((picture.width // 4 * 2, picture.height // 4 * 2))
    return np.ascontiguousarray(small)


def nv12(pixels: np.ndarray) -> RawFrame:
    height, width, _ = pixels.shape
    planar = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420)
    luma, rest = planar[:height], planar[height:].reshape(2, -1)
    return RawFrame("nv12", width, height, luma.tobytes() + rest.T.tobytes())


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_has_its_masks_in_order(server: Server, kind: str, pixels: np.ndarray) -> None:
    frames = [Frame(pixels[:, : 300 + index], HALF, timestamp_us=1000 * index) for index in range(8)]
    outcomes = stream(kind, server.grpc, frames)
    assert [outcome.sequence for outcome in outcomes] == list(range(8))
    assert [outcome.timestamp_us for outcome in outcomes] == [1000 * index for index in range(8)]
    for index, outcome in enumerate(outcomes):
        assert isinstance(outcome, Segmented)
        assert (outcome.result.width, outcome.result.height) == (300 + index, pixels.shape[0])
        assert outcome.result.instances[0].mask.any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_masks_as_of_single_images(server: Server, kind: str, pixels: np.ndarray) -> None:
    expected = segment(kind, server.grpc, SAMPLE, SAMPLE_BOXES).instances
    (outcome,) = stream(kind, server.grpc, [(SAMPLE, SAMPLE_BOXES)])
    assert isinstance(outcome, Segmented)
    for found, other in zip(outcome.result.instances, expected, strict=True):
        np.testing.assert_array_equal(found.mask, other.mask)


def test_raw_frames(server: Server, pixels: np.ndarray) -> None:
    height, width, _ = pixels.shape
    padded = np.zeros((height, width + 5, 3), np.uint8)
    padded[:, :width] = pixels[:, :, ::-1]
    bgr = RawFrame("bgr24", width, height, padded.tobytes(), stride=3 * (width + 5))
    rgb, same, near = stream("sync", server.grpc, [(pixels, HALF), (bgr, HALF), (nv12(pixels), HALF)])
    assert isinstance(rgb, Segmented)
    assert isinstance(same, Segmented)
    assert isinstance(near, Segmented)
    one, two, three = (outcome.result.instances[0].mask for outcome in (rgb, same, near))
    np.testing.assert_array_equal(one, two)
    assert (one & three).sum() / (one | three).sum() >= 0.98


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", Policy)
def test_every_frame_has_an_outcome(server: Server, kind: str, policy: Policy, pixels: np.ndarray) -> None:
    outcomes = stream(kind, server.grpc, [(pixels, HALF, index) for index in range(20)], policy)
    assert [outcome.sequence for outcome in outcomes] == list(range(20))
    assert [outcome.timestamp_us for outcome in outcomes] == list(range(20))
    dropped = [outcome for outcome in outcomes if isinstance(outcome, Dropped)]
    assert {drop.reason for drop in dropped} <= {"superseded"}
    assert len(dropped) + sum(isinstance(outcome, Segmented) for outcome in outcomes) == 20
    assert isinstance(outcomes[-1], Segmented), "nothing newer came"
    if policy is Policy.WAIT:
        assert not dropped


@pytest.mark.parametrize("kind", KINDS)
def test_an_invalid_frame_does_not_end_the_stream(server: Server, kind: str, pixels: np.ndarray) -> None:
    first, wrong, last = stream(kind, server.grpc, [(pixels, HALF), (pixels, [[5, 5, 1, 1]]), (pixels, HALF)])
    assert isinstance(first, Segmented)
    assert isinstance(last, Segmented)
    assert isinstance(wrong, Failed)
    assert isinstance(wrong.error, InvalidRequest)
    assert (wrong.sequence, wrong.error.field, wrong.error.code) == (1, "boxes[0]", "INVALID_ARGUMENT")


@pytest.mark.parametrize("kind", KINDS)
def test_options_hold_for_every_frame(server: Server, kind: str, pixels: np.ndarray) -> None:
    outcomes = stream(kind, server.grpc, [(pixels, []), (pixels, [])], mode="binary", threshold=0.3)
    for outcome in outcomes:
        assert isinstance(outcome, Segmented)
        assert outcome.result.foreground is not None


@pytest.mark.parametrize("kind", KINDS)
def test_boxes_that_are_used_again(server: Server, kind: str, pixels: np.ndarray) -> None:
    frames = [(pixels, HALF), Frame(pixels), Frame(pixels, forget_boxes=True)]
    given, again, none = stream(kind, server.grpc, frames, reuse_boxes=True)
    assert isinstance(given, Segmented)
    assert isinstance(again, Segmented)
    assert isinstance(none, Segmented)
    assert [len(outcome.result.instances) for outcome in (given, again, none)] == [1, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_for_frames(server: Server, kind: str, pixels: np.ndarray) -> None:
    outcomes = stream(kind, server.grpc, [(pixels, HALF * 50)] * 4, frame_timeout=0.001)
    assert {type(outcome) for outcome in outcomes} == {Dropped}
    for outcome in outcomes:
        assert isinstance(outcome, Dropped)
        assert outcome.reason in ("deadline", "overloaded")
        assert outcome.detail


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_of_the_frames_source_is_raised(server: Server, kind: str, pixels: np.ndarray) -> None:
    def camera() -> Iterator[Any]:
        yield pixels, HALF
        yield pixels, HALF
        raise OSError("the camera is gone")

    seen: list[Outcome] = []

    async def scenario() -> None:
        async with AsyncClient(server.grpc) as client:
            async for outcome in client.stream(camera()):
                seen.append(outcome)

    def plainly() -> None:
        with Client(server.grpc) as client:
            for outcome in client.stream(camera()):
                seen.append(outcome)

    with pytest.raises(OSError, match="the camera is gone"):
        plainly() if kind == "sync" else asyncio.run(scenario())
    assert [outcome.sequence for outcome in seen] == [0, 1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frame", [None, "text", (1,), (None, []), ("/nowhere/at/all", [])])
def test_things_that_are_no_frames_are_refused(server: Server, kind: str, frame: Any) -> None:
    with pytest.raises((TypeError, OSError)):
        stream(kind, server.grpc, [frame])


@pytest.mark.parametrize("kind", KINDS)
def test_an_endless_source_is_closed_when_the_caller_stops(server: Server, kind: str, pixels: np.ndarray) -> None:
    ended = threading.Event()

    async def camera() -> AsyncIterator[Any]:
        try:
            while True:
                yield pixels, HALF
                await asyncio.sleep(0.01)
        finally:
            ended.set()

    def plain_camera() -> Iterator[Any]:
        while not ended.is_set():
            yield pixels, HALF
            time.sleep(0.01)

    async def scenario() -> int:
        count = 0
        async with AsyncClient(server.grpc) as client:
            async for _ in client.stream(camera(), Policy.LATEST_ONLY):
                count += 1
                if count == 5:
                    break
        return count

    if kind == "async":
        assert asyncio.run(scenario()) == 5
        assert ended.is_set()
        return
    with Client(server.grpc) as client:
        outcomes = client.stream(plain_camera(), Policy.LATEST_ONLY)
        assert [next(outcomes).sequence for _ in range(5)] == list(range(5))
        outcomes.close()  # type: ignore[attr-defined]
    ended.set()


@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_stops(kind: str, pixels: np.ndarray) -> None:
    seen: list[Outcome] = []
    stopping, ended = threading.Event(), threading.Event()

    def camera() -> Iterator[Any]:
        # A frame that is on its way when the service closes the connection resets it, and what the service said last
        # is lost with it. So this camera waits from then on; that alone must not keep the stream open.
        while not stopping.is_set():
            yield pixels, HALF
            time.sleep(0.02)
        ended.wait()

    with serving() as server:

        def step(outcome: Outcome) -> None:
            seen.append(outcome)
            if len(seen) == 3:
                stopping.set()
                server.process.send_signal(signal.SIGTERM)

        def plainly() -> None:
            with Client(server.grpc) as client:
                for outcome in client.stream(camera()):
                    step(outcome)

        async def scenario() -> None:
            async with AsyncClient(server.grpc) as client:
                try:
                    async for outcome in client.stream(camera()):
                        step(outcome)
                finally:
                    ended.set()

        with pytest.raises(Unavailable) as caught:
            plainly() if kind == "sync" else asyncio.run(scenario())
        ended.set()
        assert server.process.wait(30) == 0
    assert caught.value.retry_after == 1
    assert [outcome.sequence for outcome in seen] == list(range(len(seen)))


@pytest.mark.parametrize("kind", KINDS)
def test_http_has_no_streams(server: Server, kind: str, pixels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="grpc://"):
        stream(kind, server.url, [(pixels, HALF)])


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_policies_and_options_are_refused(server: Server, kind: str) -> None:
    with pytest.raises(ValueError, match="newest"):
        stream(kind, server.grpc, [], "newest")
    with pytest.raises(TypeError, match="no option 'timeout'"):
        stream(kind, server.grpc, [], timeout=3)


@pytest.mark.parametrize("kind", KINDS)
def test_no_frames(server: Server, kind: str) -> None:
    assert stream(kind, server.grpc, []) == []
