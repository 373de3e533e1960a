"""A call ends when its answer isn't read, when its key is taken out, and when its client has too many."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from grpc import Compression, StatusCode

from hiseg.access.keys import new_key
from hiseg.core.errors import InvalidRequest
from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc.call import inflate
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.open_connections import OpenConnections
from hiseg.transports.grpc.servicer import SERVICE
from hiseg.transports.grpc.sockets import Endpoint, Sockets
from hiseg.transports.grpc.status import MessageTooLarge
from tests.growth import smallest_growth
from tests.service.transports.grpc.camera import Camera
from tests.service.transports.grpc.harness import BOX, PHOTO, running, until
from tests.service.transports.grpc.raw import INITIAL_WINDOW, RawClient, prefixed

REQUEST = pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX])


def noise() -> bytes:
    """A photo whose overlay is a PNG of more bytes than a window."""
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(file, "JPEG", quality=30)
    return file.getvalue()


OVERLAY = {"boxes": [BOX], "mask_format": pb.MASK_FORMAT_OVERLAY, "encoded_image": noise()}


def test_an_answer_counts_until_it_is_read_and_who_does_not_read_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("hiseg.transports.grpc.servicer.READ_ANSWER_SECONDS", 2)

    async def scenario() -> None:
        async with running() as service:
            admission = service.segmenter.admission
            client = await RawClient.opened(service.address)
            calls = [client.call(f"{SERVICE}/Segment") for _ in range(3)]
            for call in calls:
                await client.send(call, prefixed(pb.SegmentRequest(**OVERLAY).SerializeToString()), end=True)
            await until(lambda: all(client.received[call] == INITIAL_WINDOW for call in calls))
            await until(lambda: admission.active_requests == 0)
            assert admission.reserved_bytes > 3 * INITIAL_WINDOW
            assert len((await service.stub.Segment(REQUEST)).instances) == 1
            async with asyncio.timeout(10):
                await client.closed.wait()
            await client.close()
            await until(lambda: admission.reserved_bytes == 0)
            assert not caplog.records  # it's the caller's business

    asyncio.run(scenario())


def test_compressed_messages_are_inflated_whether_they_grow_little_or_much() -> None:
    async def scenario() -> None:
        async with running() as service:
            black = pb.RawFrame(format=pb.PIXEL_FORMAT_RGB24, width=640, height=480, data=bytes(3 * 640 * 480))
            for request in (REQUEST, pb.SegmentRequest(raw_frame=black, boxes=[BOX])):
                answer = await service.stub.Segment(request, compression=Compression.Gzip)
                assert len(answer.instances) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_nothing_is_left_of_a_refused_message(compression: Compression) -> None:
    async def scenario() -> None:
        async with running() as service:
            kept = []
            for _ in range(4):
                call = service.stub.Segment(pb.SegmentRequest(encoded_image=bytes(8 * MEBI)), compression=compression)
                assert await call.code() is StatusCode.INVALID_ARGUMENT
                del call
                kept.append(tracemalloc.get_traced_memory()[0])
            assert smallest_growth(kept) < 4 * MEBI, kept  # a thread may still have the last one

    gc.disable()  # nothing waits for a collection, which may come after hundreds of messages
    tracemalloc.start()
    try:
        asyncio.run(scenario())
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.parametrize(("proxies", "is_cut_off"), [((), True), (("127.0.0.1",), False)])
def test_who_does_not_read_is_cut_off_whoever_else_it_is_unless_it_stands_for_others(
    proxies: tuple[str, ...], is_cut_off: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiseg.transports.grpc.servicer.READ_ANSWER_SECONDS", 1)
    key, digest = new_key()

    async def scenario() -> None:
        settings = Settings(api_keys=(f"mine:{digest}",), trusted_proxies=proxies)
        async with running(settings) as service:
            admission = service.segmenter.admission
            client = await RawClient.opened(service.address)
            watch = client.call("grpc.health.v1.Health/Watch")  # it needs no key, and counts for the address
            await client.send(watch, prefixed(b""))
            call = client.call(f"{SERVICE}/Segment", ("x-api-key", key))
            await client.send(call, prefixed(pb.SegmentRequest(**OVERLAY).SerializeToString()), end=True)
            await until(lambda: client.received[call] == INITIAL_WINDOW)
            if is_cut_off:
                async with asyncio.timeout(10):
                    await client.closed.wait()
                await until(lambda: admission.reserved_bytes == 0)
            else:
                await asyncio.sleep(2.5)
                assert not client.closed.is_set()
                assert admission.reserved_bytes > INITIAL_WINDOW
            await client.close()

    asyncio.run(scenario())


def test_responses_of_a_stream_count_until_they_are_read() -> None:
    async def scenario() -> None:
        async with running() as service:
            admission = service.segmenter.admission
            client = await RawClient.opened(service.address)
            stream = client.call(f"{SERVICE}/SegmentStream")
            options = pb.SegmentOptions(mask_format=pb.MASK_FORMAT_OVERLAY)
            messages = [pb.SegmentStreamRequest(config=pb.StreamConfig(options=options))]
            frame = pb.Frame(encoded_image=OVERLAY["encoded_image"], boxes=[BOX])
            messages += [pb.SegmentStreamRequest(frame=frame)] * 8
            sending = [asyncio.create_task(_send(client, stream, messages))]
            await until(lambda: client.received[stream] == INITIAL_WINDOW)
            await until(lambda: admission.active_requests <= 6 and admission.reserved_bytes > 3 * INITIAL_WINDOW)
            sending[0].cancel()
            await client.close()
            await until(lambda: admission.reserved_bytes == 0)

    asyncio.run(scenario())


async def _send(client: RawClient, stream: int, messages: list[pb.SegmentStreamRequest]) -> None:
    for message in messages:
        await client.send(stream, prefixed(message.SerializeToString()))


def test_a_stream_ends_when_its_key_is_taken_out_and_those_of_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hiseg.transports.grpc.stream.KEY_CHECK_SECONDS", 0.05)
    (mine, my_digest), (yours, your_digest) = new_key(), new_key()
    file = tmp_path / "keys"
    file.write_text(f"mine {my_digest}\nyours {your_digest}\n")

    async def scenario() -> None:
        async with running(Settings(api_keys_file=file)) as service:
            cameras = [Camera(service, (("x-api-key", key),)) for key in (mine, yours)]
            for camera in cameras:
                await camera.call.write(pb.SegmentStreamRequest(config=pb.StreamConfig()))
                await camera.send()
                await camera.receive(1)
            file.write_text(f"yours {your_digest}\n")
            async with asyncio.timeout(10):
                assert await cameras[0].rest() is StatusCode.UNAUTHENTICATED
            await cameras[1].send()
            await cameras[1].receive(1)
            assert cameras[1].outcomes == ["result"] * 2
            assert await cameras[1].finish() is StatusCode.OK

    asyncio.run(scenario())


def test_one_key_has_a_share_of_the_streams_however_many_it_opens() -> None:
    (mine, my_digest), (yours, your_digest) = new_key(), new_key()

    async def scenario() -> None:
        settings = Settings(api_keys=(f"mine:{my_digest}", f"yours:{your_digest}"), grpc_max_streams=10)
        async with running(settings) as service:
            cameras = [Camera(service, (("x-api-key", mine),)) for _ in range(10)]
            for camera in cameras:
                with suppress(asyncio.InvalidStateError):  # it may have been refused already
                    await camera.call.write(pb.SegmentStreamRequest(config=pb.StreamConfig()))
            await until(lambda: sum(camera.call.done() for camera in cameras) == 2)
            other = Camera(service, (("x-api-key", yours),))
            await other.call.write(pb.SegmentStreamRequest(config=pb.StreamConfig()))
            await other.send()
            await other.receive(1)
            assert other.outcomes == ["result"]
            for camera in (*cameras, other):
                camera.call.cancel()

    asyncio.run(scenario())


def test_an_address_with_too_many_connections_loses_its_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[Endpoint] = [("10.0.0.1", port) for port in range(9)] + [("10.0.0.2", 1), ("127.0.0.1", 1)]
    closed: list[Endpoint] = []
    sockets = Sockets()
    monkeypatch.setattr(sockets, "scan", lambda: [end for end in ends if end not in closed])
    monkeypatch.setattr(sockets, "shut_down", closed.append)
    connections = OpenConnections(sockets, ("127.0.0.1",), 12)
    connections.look()
    assert closed == [("10.0.0.1", 8)]
    connections.look()
    assert len(closed) == 1


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_messages_are_inflated_within_their_limit(compress: object) -> None:
    data = compress(bytes(1000))  # type: ignore[operator]
    assert inflate(data, 1000) == bytes(1000)
    with pytest.raises(MessageTooLarge):
        inflate(data, 999)
    with pytest.raises(InvalidRequest, match="its end is missing"):
        inflate(data[:-5], 1000)
    with pytest.raises(InvalidRequest, match="decompressed"):
        inflate(data[:2] + b"garbage", 1000)
