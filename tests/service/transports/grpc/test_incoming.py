"""Messages that never end are counted and timed, whoever sends them, and others are answered meanwhile."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from hypothesis import given
from hypothesis import strategies as st

from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.incoming import WINDOW_BYTES, Connection, PendingRead
from hiseg.transports.grpc.servicer import SERVICE
from tests.service.transports.grpc.camera import Camera
from tests.service.transports.grpc.harness import BOX, PHOTO, connected, running, until
from tests.service.transports.grpc.raw import RawClient, prefixed

REQUEST = pb.SegmentRequest(encoded_image=PHOTO, boxes=[BOX])
CONFIG = prefixed(pb.SegmentStreamRequest(config=pb.StreamConfig()).SerializeToString())
HALF = 768 * 1024
MESSAGE_START = prefixed(bytes(HALF), MEBI)


@pytest.mark.parametrize("method", [f"{SERVICE}/Segment", "grpc.health.v1.Health/Check"])
def test_messages_that_never_end_are_counted_and_end_in_time(method: str) -> None:
    async def scenario() -> None:
        async with running(Settings(body_timeout_seconds=1.5)) as service:
            client = await RawClient.opened(service.address)
            calls = [client.call(method) for _ in range(4)]
            await asyncio.gather(*(client.send(call, MESSAGE_START) for call in calls))
            await until(lambda: service.segmenter.admission.reserved_bytes > 3 * HALF)
            assert len((await service.stub.Segment(REQUEST)).instances) == 1
            await until(lambda: client.ended.issuperset(calls))
            await until(lambda: service.segmenter.admission.reserved_bytes == 0)
            assert not client.closed.is_set()
            await client.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("connections", [1, 4])
def test_unfinished_frames_hold_no_more_than_their_share(connections: int) -> None:
    async def scenario() -> None:
        async with running(Settings(body_timeout_seconds=20)) as service:
            clients = [await RawClient.opened(service.address) for _ in range(connections)]
            service.segmenter.admission.max_bytes = 12 * MEBI
            senders = [clients[k % connections] for k in range(40)]
            streams = [(client, client.call(f"{SERVICE}/SegmentStream")) for client in senders]
            for client, stream in streams:
                await client.send(stream, CONFIG)
            sending = [asyncio.create_task(client.send(stream, MESSAGE_START)) for client, stream in streams]
            admission = service.segmenter.admission
            await until(lambda: sum(len(client.ended) for client in clients) >= 20)
            assert admission.reserved_bytes <= admission.max_bytes
            async with asyncio.timeout(10):
                await asyncio.gather(*sending)
            for client in clients:
                await client.close()
            await until(lambda: admission.reserved_bytes == 0)
            assert len((await service.stub.Segment(REQUEST)).instances) == 1

    asyncio.run(scenario())


def test_a_frame_that_stays_unfinished_ends_its_stream_and_an_idle_camera_stays() -> None:
    async def scenario() -> None:
        async with running(Settings(body_timeout_seconds=0.5)) as service:
            camera = await Camera.opened(service)
            await camera.send()
            client = await RawClient.opened(service.address)
            stream = client.call(f"{SERVICE}/SegmentStream")
            await client.send(stream, CONFIG + MESSAGE_START)
            await until(lambda: stream in client.ended)
            await client.close()
            await asyncio.sleep(1)
            await camera.send()
            assert [response.WhichOneof("outcome") for response in await camera.receive(2)] == ["result"] * 2
            assert await camera.finish() is StatusCode.OK

    asyncio.run(scenario())


def test_a_stream_without_its_first_message_or_without_frames_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiseg.transports.grpc.servicer.STREAM_CONFIG_SECONDS", 0.2)
    monkeypatch.setattr("hiseg.transports.grpc.stream.STREAM_IDLE_SECONDS", 1)

    async def scenario() -> None:
        async with running() as service:
            silent = Camera(service)
            assert await silent.rest() is StatusCode.DEADLINE_EXCEEDED
            monkeypatch.setattr("hiseg.transports.grpc.servicer.STREAM_CONFIG_SECONDS", 30)
            idle = await Camera.opened(service)
            await idle.send()
            assert await idle.rest() is StatusCode.DEADLINE_EXCEEDED
            assert idle.outcomes == ["result"]
            assert (await idle.call.details()) == "no frame came for 1 s"

    asyncio.run(scenario())


def test_calls_of_a_refused_caller_are_not_read() -> None:
    async def scenario() -> None:
        async with running(Settings(api_keys=(f"web:{'0' * 64}",))) as service:
            client = await RawClient.opened(service.address)
            call = client.call(f"{SERVICE}/Segment")
            await client.send(call, MESSAGE_START)
            assert call in client.ended
            assert service.segmenter.admission.reserved_bytes == 0
            await client.close()

    asyncio.run(scenario())


def test_one_address_has_a_share_of_the_health_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hiseg.transports.grpc.small_calls.MAX_SMALL_CALLS", 10)

    async def scenario() -> None:
        async with running() as service:
            watches = [HealthStub(service.channel).Watch(HealthCheckRequest()) for _ in range(12)]
            answers: Counter[object] = Counter()
            for watch in watches:
                try:
                    answers[(await watch.read()).status] += 1
                except AioRpcError as error:
                    answers[error.code()] += 1
            assert answers == {HealthCheckResponse.SERVING: 8, StatusCode.RESOURCE_EXHAUSTED: 4}
            # From behind the trusted proxy that the test's own address is.
            from_elsewhere = (("x-forwarded-for", "203.0.113.9"),)
            async with connected(service.address) as channel:
                other = await HealthStub(channel).Check(HealthCheckRequest(), metadata=from_elsewhere)
            assert other.status == HealthCheckResponse.SERVING
            for watch in watches:
                watch.cancel()

    asyncio.run(scenario())


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2 * MEBI), st.booleans()), max_size=60))
def test_what_is_unfinished_is_never_underestimated_but_for_the_windows(steps: list[tuple[int, int, bool]]) -> None:
    connection, sent, received = Connection(("127.0.0.1", 1)), [0] * 5, 0

    def read() -> PendingRead:
        found = PendingRead(connection, "a", 0, 0, lambda: ValueError(), lambda _: None, connection.received)  # type: ignore[arg-type,return-value]
        connection.reads[found] = None
        return found

    reads = [read() for _ in range(5)]
    for number, nbytes, is_whole in steps:
        more = min(nbytes, 21 * MEBI - sent[number])
        received += more
        sent[number] += more
        if is_whole:
            del connection.reads[reads[number]]
            connection.accounted += sent[number]
            sent[number] = 0
            reads[number] = read()
        connection.estimate(received, 21 * MEBI, 0)
        assert connection.unfinished == sum(sent) or sum(sent) <= 5 * WINDOW_BYTES
