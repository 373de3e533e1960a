"""How streams begin and end: with which status, and that nothing of them is left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import Any

import grpc.aio
import numpy as np
import psutil
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from grpc import StatusCode
from grpc.aio import AioRpcError
from grpc_status import rpc_status

from benchmarks.harness.paths import ROOT
from hiseg.api.limits import MAX_UNANSWERED_FRAMES
from hiseg.batching.admission import State
from hiseg.settings import MEBI, Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from tests.growth import in_own_process, smallest_growth
from tests.service.transports.grpc.camera import FRAME, Camera
from tests.service.transports.grpc.harness import BOX, CLIENT_OPTIONS, Running, running, until

WAIT, DROP_OLDEST, LATEST_ONLY = pb.STREAM_POLICY_WAIT, pb.STREAM_POLICY_DROP_OLDEST, pb.STREAM_POLICY_LATEST_ONLY
FRAME_MESSAGE = pb.SegmentStreamRequest(frame=pb.Frame(**FRAME))
CONFIG_MESSAGE = pb.SegmentStreamRequest(config=pb.StreamConfig())


def streams(service: Running) -> float:
    """How many are open by the metrics."""
    return service.metrics.registry.get_sample_value("hiseg_grpc_streams") or 0.0


def taken(service: Running) -> int:
    """Frames that got their outcome."""
    return sum(service.counted("grpc_stream").values())


async def ended(call: Any, received: list[pb.SegmentStreamResponse] | None = None) -> AioRpcError:
    """The error that a stream ends with, after what is added to ``received``."""
    try:
        async for response in call:
            if received is not None:
                received.append(response)
    except AioRpcError as error:
        return error
    raise AssertionError("it ended well")


def detail(error: AioRpcError, kind: Any) -> Any:
    """The one detail of its kind that an error has, as google.rpc has it."""
    status = rpc_status.from_call(error)
    assert status is not None
    (packed,) = (each for each in status.details if each.Is(kind.DESCRIPTOR))
    assert (status.code, status.message) == (error.code().value[0], error.details())
    found = kind()
    assert packed.Unpack(found)
    return found


@pytest.mark.parametrize(
    ("messages", "field"),
    [
        ([], "config"),
        ([FRAME_MESSAGE], "config"),
        ([pb.SegmentStreamRequest()], "config"),
        ([pb.SegmentStreamRequest(config={"policy": 9})], "config.policy"),
        ([pb.SegmentStreamRequest(config={"frame_deadline_ms": 600_001})], "config.frame_deadline_ms"),
        ([pb.SegmentStreamRequest(config={"options": {"threshold": 1}})], "threshold"),
        ([pb.SegmentStreamRequest(config={"options": {"variant": "b9"}})], "variant"),
        ([CONFIG_MESSAGE, FRAME_MESSAGE, CONFIG_MESSAGE, FRAME_MESSAGE], "frame"),
        ([CONFIG_MESSAGE, FRAME_MESSAGE, pb.SegmentStreamRequest()], "frame"),
    ],
)
def test_a_stream_with_a_wrong_message_is_an_invalid_argument(
    messages: list[pb.SegmentStreamRequest], field: str
) -> None:
    async def scenario() -> None:
        async with running() as service:
            call = service.stub.SegmentStream(iter(messages))
            received: list[pb.SegmentStreamResponse] = []
            error = await ended(call, received)
            assert error.code() is StatusCode.INVALID_ARGUMENT
            assert [violation.field for violation in detail(error, BadRequest).field_violations] == [field]
            # What was taken before is answered.
            outcomes = [response.WhichOneof("outcome") for response in received]
            assert outcomes == ["result"] * (messages[:2] == [CONFIG_MESSAGE, FRAME_MESSAGE])
            await until(lambda: streams(service) == 0)

    asyncio.run(scenario())


def test_bytes_that_cannot_be_parsed_end_the_stream() -> None:
    async def scenario() -> None:
        async with running() as service:
            method = "/hiseg.v1.SegmentationService/SegmentStream"
            raw = service.channel.stream_stream(method)(iter([CONFIG_MESSAGE.SerializeToString(), b"\xff\xff"]))
            assert (await ended(raw)).code() is StatusCode.INVALID_ARGUMENT

    asyncio.run(scenario())


@pytest.mark.parametrize("state", [State.STARTING, State.DRAINING])
def test_no_stream_begins_while_starting_or_draining(state: State) -> None:
    async def scenario() -> None:
        async with running() as service:
            service.segmenter.admission.state = state
            error = await ended(service.stub.SegmentStream(iter([CONFIG_MESSAGE])))
            assert error.code() is StatusCode.UNAVAILABLE
            assert detail(error, RetryInfo).retry_delay.seconds == 1

    asyncio.run(scenario())


@pytest.mark.alone
def test_streams_and_calls_over_their_limits_are_refused() -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_max_streams=2, grpc_max_calls=1)) as service:
            cameras = [await Camera.opened(service) for _ in range(2)]
            await until(lambda: streams(service) == 2)
            error = await ended(service.stub.SegmentStream(iter([CONFIG_MESSAGE])))
            assert error.code() is StatusCode.RESOURCE_EXHAUSTED
            assert detail(error, RetryInfo).retry_delay.seconds == 1
            assert (error.trailing_metadata() or {})["retry-after"] == "1"
            assert await cameras.pop().finish() is StatusCode.OK
            async with asyncio.TaskGroup() as tasks:
                service.engine.gate.clear()
                first = tasks.create_task(service.refused(pb.SegmentRequest(**FRAME), within=0.5))
                await until(lambda: service.engine.running)
                error = await service.refused(pb.SegmentRequest(**FRAME))
                assert error.code() is StatusCode.RESOURCE_EXHAUSTED
                assert "1 calls are open; at most 1" in str(error.details())
            assert first.result().code() is StatusCode.DEADLINE_EXCEEDED
            service.engine.gate.set()
            cameras.append(await Camera.opened(service))
            for camera in cameras:
                await camera.send()
                assert await camera.finish() is StatusCode.OK
                assert camera.outcomes == ["result"]

    asyncio.run(scenario())


@pytest.mark.alone
@pytest.mark.parametrize("policy", [WAIT, DROP_OLDEST, LATEST_ONLY])
def test_draining_answers_accepted_frames_and_ends_the_stream(policy: Any) -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_stream_in_flight=2, grpc_stream_queue=3)) as service:
            idle = await Camera.opened(service)
            service.engine.gate.clear()
            camera = await Camera.opened(service, policy=policy)
            expected = {WAIT: 3, DROP_OLDEST: 3, LATEST_ONLY: 2}[policy]
            admission = service.segmenter.admission
            for inside in (1, 2, expected):
                await camera.send()
                await until(lambda inside=inside: service.engine.running and admission.active_requests == inside)
                # A live camera's third frame takes the second one's place, but not in a burst.
                await asyncio.sleep(0.03)
            service.segmenter.admission.state = State.DRAINING
            assert await idle.rest() is StatusCode.UNAVAILABLE
            service.engine.gate.set()
            await asyncio.wait_for(service.segmenter.admission.wait_until_empty(), 30)
            assert await camera.rest() is StatusCode.UNAVAILABLE
            assert camera.outcomes == ["result"] * 3 if expected == 3 else ["result", "superseded", "result"]
            await until(lambda: streams(service) == 0)

    asyncio.run(scenario())


@pytest.mark.alone
def test_a_stream_whose_last_frame_was_sent_ends_with_ok_while_draining() -> None:
    async def scenario() -> None:
        async with running() as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service)
            await camera.send(2)
            await camera.call.done_writing()
            await until(lambda: service.segmenter.admission.active_requests == 2)
            await asyncio.sleep(0.1)
            service.segmenter.admission.state = State.DRAINING
            await asyncio.sleep(0.1)
            service.engine.gate.set()
            assert await camera.rest() is StatusCode.OK
            assert camera.outcomes == ["result"] * 2

    asyncio.run(scenario())


def noise() -> pb.Frame:
    """An image whose overlay has most of a megabyte, so that a few of them fill every buffer on the way."""
    pixels = np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8)
    raw = pb.RawFrame(format=pb.PIXEL_FORMAT_RGB24, width=640, height=480, data=pixels.tobytes())
    return pb.Frame(raw_frame=raw, boxes=[BOX], options=pb.SegmentOptions(mask_format=pb.MASK_FORMAT_OVERLAY))


@pytest.mark.alone
@pytest.mark.parametrize("policy", [WAIT, DROP_OLDEST, LATEST_ONLY])
def test_a_caller_that_stops_reading_fills_no_memory(policy: Any) -> None:
    count = 1200

    async def scenario() -> None:
        async with running() as service, asyncio.TaskGroup() as tasks:
            camera = await Camera.opened(service, policy=policy)

            async def send() -> None:
                for sequence in range(count):
                    frame = noise() if sequence < (40 if policy == WAIT else 20) else pb.Frame(**FRAME)
                    frame.sequence, frame.timestamp_us = sequence, -1000 * sequence
                    await camera.call.write(pb.SegmentStreamRequest(frame=frame))
                    if sequence < 20:
                        await asyncio.sleep(0.02)

            sending = tasks.create_task(send())
            settled = -1
            while settled != taken(service):
                settled = taken(service)
                await asyncio.sleep(0.4)
            assert not sending.done() or policy != WAIT
            process, memory = psutil.Process(), []
            for _ in range(5):
                memory.append(process.memory_info().rss)
                await asyncio.sleep(0.25)
            assert taken(service) == settled, "nothing moves until somebody reads"
            assert settled < MAX_UNANSWERED_FRAMES + 40
            assert service.segmenter.admission.reserved_bytes < 10 * MEBI
            assert smallest_growth(memory) < 2 * MEBI, memory
            # And whoever reads again gets everything.
            await camera.receive(count)
            await sending
            assert await camera.finish() is StatusCode.OK
            assert len(camera.outcomes) == count
            assert set(camera.outcomes) == ({"result"} if policy == WAIT else {"result", "superseded"})
            assert service.segmenter.admission.active_requests == 0

    asyncio.run(scenario())


def test_draining_does_not_wait_for_a_caller_that_stopped_reading() -> None:
    async def scenario() -> None:
        async with running() as service:
            camera = await Camera.opened(service, policy=DROP_OLDEST)
            for _ in range(30):
                await camera.call.write(pb.SegmentStreamRequest(frame=noise()))
                await asyncio.sleep(0.02)
            await until(lambda: service.segmenter.admission.active_requests >= 4)
            service.segmenter.admission.state = State.DRAINING
            await asyncio.wait_for(service.segmenter.admission.wait_until_empty(), 30)
            camera.call.cancel()
            await until(lambda: streams(service) == 0)

    asyncio.run(scenario())


CLIENT = """
import grpc, sys
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from tests.growth import in_own_process, smallest_growth
from tests.service.transports.grpc.camera import FRAME
def frames():
    yield pb.SegmentStreamRequest(config={"policy": int(sys.argv[2])})
    while True:
        yield pb.SegmentStreamRequest(frame=pb.Frame(**FRAME))
for _ in SegmentationServiceStub(grpc.insecure_channel(sys.argv[1])).SegmentStream(frames()):
    print("answered", flush=True)
"""


@pytest.mark.parametrize("policy", [WAIT, LATEST_ONLY])
def test_nothing_is_left_of_a_client_that_is_killed(policy: Any) -> None:
    async def scenario() -> None:
        async with running() as service:
            command = sys.executable, "-c", CLIENT, service.address, str(policy)
            client = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
            assert client.stdout is not None
            await client.stdout.readline()
            service.engine.gate.clear()
            await until(lambda: service.segmenter.admission.active_requests >= 2)
            os.kill(client.pid, signal.SIGKILL)
            await client.wait()
            await until(lambda: streams(service) == 0 and service.segmenter.admission.active_requests == 0)
            (batcher,) = service.segmenter.batchers.values()
            assert batcher.waiting == 0
            service.engine.gate.set()
            again = await Camera.opened(service)
            await again.send()
            assert await again.finish() is StatusCode.OK

    asyncio.run(scenario())


def test_a_stream_that_is_cancelled_while_it_waits_for_frames() -> None:
    async def scenario() -> None:
        async with running() as service:
            for _ in range(50):
                camera = await Camera.opened(service)
                await camera.send()
                await camera.receive(1)
                camera.call.cancel()
            await until(lambda: streams(service) == 0)
            assert service.counted("grpc_stream") == {"ok": 50}

    asyncio.run(scenario())


def test_frames_of_a_caller_that_left_are_counted_once_whether_they_wait_or_are_segmented() -> None:
    async def scenario() -> None:
        async with running(Settings(grpc_stream_in_flight=1)) as service:
            service.engine.gate.clear()
            camera = await Camera.opened(service)
            await camera.send(2)
            await until(lambda: service.segmenter.admission.active_requests == 2)
            camera.call.cancel()
            await until(lambda: streams(service) == 0 and service.segmenter.admission.active_requests == 0)
            assert service.counted("grpc_stream") == {"gone": 2}

    asyncio.run(scenario())


@pytest.mark.alone
def test_a_deadline_of_the_call_ends_the_stream_and_is_not_that_of_its_frames() -> None:
    async def scenario() -> None:
        async with running() as service:
            call = service.stub.SegmentStream(timeout=0.5)
            await call.write(CONFIG_MESSAGE)
            service.engine.gate.clear()
            await call.write(FRAME_MESSAGE)
            assert (await ended(call)).code() is StatusCode.DEADLINE_EXCEEDED
            await until(lambda: service.segmenter.admission.active_requests == 0 and streams(service) == 0)

    asyncio.run(scenario())


async def rounds_of_streams(rounds: int) -> list[tuple[int, int]]:
    """Bytes resident and descriptors open after each round of 300 streams, thirty connections with ten each."""
    process = psutil.Process()
    readings = []
    async with running() as service:

        async def one(channel: grpc.aio.Channel) -> None:
            call = SegmentationServiceStub(channel).SegmentStream(iter([CONFIG_MESSAGE, FRAME_MESSAGE]))
            assert [response.WhichOneof("outcome") async for response in call] == ["result"]

        for _ in range(rounds):
            for _ in range(30):
                async with grpc.aio.insecure_channel(service.address, options=CLIENT_OPTIONS) as channel:
                    await asyncio.gather(*(one(channel) for _ in range(10)))
            await until(lambda: streams(service) == 0)
            service.engine.batches.clear()  # it remembers every image
            gc.collect()
            readings.append((process.memory_info().rss, process.num_fds()))
    return readings


def run_rounds_of_streams(rounds: int) -> list[tuple[int, int]]:
    return asyncio.run(rounds_of_streams(rounds))


def test_thousands_of_streams_leave_nothing_behind() -> None:
    memory, descriptors = zip(*in_own_process(run_rounds_of_streams, 6)[1:], strict=True)  # the first warms up
    assert smallest_growth(memory) < MEBI, memory
    assert smallest_growth(descriptors) < 10, descriptors
