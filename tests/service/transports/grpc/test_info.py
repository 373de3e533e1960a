"""``GetInfo``, compression, and limits of pings."""

from __future__ import annotations

import asyncio
from importlib.metadata import version

import grpc
import grpc.aio
import pytest
from grpc import StatusCode

from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc import server
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from hiseg.transports.grpc.server import server_options
from tests.service.transports.grpc.camera import FRAME
from tests.service.transports.grpc.harness import BOX, CLIENT_OPTIONS, PHOTO, running
from tests.service.transports.grpc.raw import PREFACE, SETTINGS, frame


def test_info_has_every_limit() -> None:
    async def scenario() -> None:
        settings = Settings(max_image_bytes=3 * MEBI, grpc_stream_queue=7)
        async with running(settings) as service:
            info = await service.stub.GetInfo(pb.GetInfoRequest())
            assert info.version == version("hiseg")
            assert [(model.name, model.version, model.variant) for model in info.models] == [("echo", "1", "b0")]
            assert info.default_variant == "b0"
            assert list(info.image_types) == ["image/jpeg", "image/png", "image/webp"]
            assert list(info.pixel_formats) == [1, 2, 3]
            assert list(info.policies) == [1, 2, 3]
            assert list(info.modes) == [1, 2]
            assert list(info.mask_formats) == [1, 2, 3, 4, 5, 6, 7, 8]
            assert list(info.smoothings) == [1, 2, 3]
            unset = [field.name for field in pb.Limits.DESCRIPTOR.fields if not getattr(info.limits, field.name)]
            assert not unset
            assert info.limits.stream_queue == 7
            assert info.limits.message_bytes == 4 * MEBI

    asyncio.run(scenario())


def test_the_message_limit_in_force_is_the_one_that_info_states() -> None:
    async def scenario() -> None:
        async with running(Settings(max_image_bytes=MEBI)) as service:
            most = (await service.stub.GetInfo(pb.GetInfoRequest())).limits.message_bytes
            spare = most - pb.SegmentRequest(encoded_image=bytes(MEBI)).ByteSize() + MEBI
            for size, code in (
                (spare, StatusCode.INVALID_ARGUMENT),
                (spare + 1, StatusCode.RESOURCE_EXHAUSTED),
            ):
                error = await service.refused(pb.SegmentRequest(encoded_image=bytes(size)))
                assert error.code() is code

    asyncio.run(scenario())


@pytest.mark.parametrize("ask", [False, True])
def test_answers_are_compressed_on_request(ask: bool) -> None:
    async def scenario() -> int:
        async with running() as service:
            passed = 0

            async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, count: bool) -> None:
                nonlocal passed
                while data := await reader.read(2**16):
                    passed += len(data) * count
                    writer.write(data)
                writer.close()

            async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                back, forth = await asyncio.open_connection(*service.address.split(":"))
                await asyncio.gather(relay(reader, forth, False), relay(back, writer, True))

            async with await asyncio.start_server(connect, "127.0.0.1", 0) as proxy:
                address = "{}:{}".format(*proxy.sockets[0].getsockname())
                async with grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS) as channel:
                    answer = await SegmentationServiceStub(channel).Segment(
                        pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX] * 100),
                        metadata=[("hiseg-compress", "gzip")] * ask,
                        compression=grpc.Compression.Gzip,
                    )
                    assert len(answer.instances) == 100
            return passed

    assert (asyncio.run(scenario()) < 3000) is ask


def test_a_message_over_the_limit_after_decompression_is_refused() -> None:
    async def scenario() -> None:
        async with running(Settings(max_image_bytes=MEBI)) as service:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await service.stub.Segment(
                    pb.SegmentRequest(encoded_image=bytes(50 * MEBI)), compression=grpc.Compression.Gzip, timeout=10
                )
            assert caught.value.code() is StatusCode.RESOURCE_EXHAUSTED

    asyncio.run(scenario())


def test_pings_have_limits() -> None:
    found = dict(server_options(Settings(grpc_min_ping_interval_seconds=7, grpc_keepalive_seconds=40)))
    assert found["grpc.http2.min_recv_ping_interval_without_data_ms"] == 7000
    assert found["grpc.keepalive_time_ms"] == 40_000


def test_a_client_that_answers_no_ping_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "PONG_SECONDS", 1)

    async def scenario() -> None:
        async with running(Settings(grpc_keepalive_seconds=1)) as service:
            host, _, port = service.address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(PREFACE + frame(SETTINGS, 0, 0))
            async with asyncio.timeout(20):  # it took a minute
                while await reader.read(1000):
                    pass
            writer.close()

    asyncio.run(scenario())


def test_a_client_that_pings_too_often_is_disconnected() -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_min_ping_interval_seconds=60)) as service:
            service.engine.gate.clear()
            eager = [
                *CLIENT_OPTIONS,
                ("grpc.keepalive_time_ms", 100),
                ("grpc.http2.max_pings_without_data", 0),
                ("grpc.http2.min_time_between_pings_ms", 100),
            ]
            async with grpc.aio.insecure_channel(service.address, options=eager) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await SegmentationServiceStub(channel).Segment(pb.SegmentRequest(**FRAME), timeout=8)
            assert caught.value.code() is StatusCode.UNAVAILABLE
            assert "ping" in str(caught.value.details())

    asyncio.run(scenario())
