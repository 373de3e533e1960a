"""Measures gRPC streams: ``python -m benchmarks.streams [cameras|churn|overhead]``.

``cameras``: four cameras with an engine that can't keep up. ``churn``: ten thousand streams opened and closed.
``overhead``: one image over HTTP, in gRPC calls and in a stream, with an engine that takes no time.
"""

from __future__ import annotations

import asyncio
import io
import statistics
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import cv2
import grpc.aio
import httpx
import numpy as np
import PIL.Image
import psutil

from benchmarks.gpu_like import command
from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.serving import Server, serving
from benchmarks.loads import MEBI
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub

CAMERAS, FPS, SECONDS = 4, 30, 20
ENGINES = {"25 ms a frame": (0, 25), "60 ms a batch and 10 ms a frame": (60, 10)}
"""What a batch and a frame in it cost: 40 frames a second, the one in any way, the other four at a time."""
BUDGET_MS = 110
"""Of a batch: room for a frame of each camera."""
STREAMS, AT_ONCE = 10_000, 100
ROUNDS = 200
BOX = (60.0, 40.0, 260.0, 440.0)
OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
]


def sized(width: int, height: int) -> np.ndarray:
    """The sample photo in that size, RGB."""
    photo = PIL.Image.open(SAMPLE).convert("RGB").resize((width, height), PIL.Image.Resampling.LANCZOS)
    return np.asarray(photo)


def jpeg(pixels: np.ndarray, most: int = 10**9) -> bytes:
    """A JPEG of at most so many bytes."""
    for quality in range(95, 5, -2):
        file = io.BytesIO()
        PIL.Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        if file.tell() <= most:
            break
    return file.getvalue()


def nv12(pixels: np.ndarray) -> bytes:
    """Luma, and chroma in pairs."""
    height, width = pixels.shape[:2]
    planar = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    luma, u, v = np.split(planar, [height * width, height * width * 5 // 4])
    return luma.tobytes() + np.stack([u, v], axis=1).tobytes()


def boxes() -> list[pb.Box]:
    return [pb.Box(x1=BOX[0], y1=BOX[1], x2=BOX[2], y2=BOX[3])]


def connected(server: Server) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(server.grpc.removeprefix("grpc://"), options=OPTIONS)


@dataclass
class Camera:
    """One camera's view of its stream."""

    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    ages_ms: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)
    in_order: bool = True

    async def run(self, stub: SegmentationServiceStub, picture: bytes, first: float) -> None:
        call = stub.SegmentStream()
        await call.write(pb.SegmentStreamRequest(config={"policy": pb.STREAM_POLICY_LATEST_ONLY}))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(call))
            for number in range(FPS * SECONDS):
                await asyncio.sleep(max(0.0, first + number / FPS - time.monotonic()))
                taken = round(time.monotonic() * 1e6)
                frame = pb.Frame(sequence=number, timestamp_us=taken, encoded_image=picture, boxes=boxes())
                await call.write(pb.SegmentStreamRequest(frame=frame))
                self.sent += 1
            await call.done_writing()

    async def _listen(self, call: grpc.aio.StreamStreamCall) -> None:
        number = 0
        async for response in call:
            self.in_order &= response.sequence == number
            number += 1
            kind = response.WhichOneof("outcome")
            if kind == "result":
                self.ages_ms.append(time.monotonic() * 1e3 - response.timestamp_us / 1e3)
                self.infer_ms.append(response.result.timings_ms["infer"])
            self.outcomes[pb.DropReason.Name(response.dropped.reason) if kind == "dropped" else kind] += 1


async def cameras(server: Server) -> None:
    """Their shares of the engine, and how old the newest masks are."""
    picture = jpeg(sized(640, 480), 60_000)
    found = [Camera() for _ in range(CAMERAS)]
    async with connected(server) as channel, asyncio.TaskGroup() as tasks:
        stub, now = SegmentationServiceStub(channel), time.monotonic()
        for index, camera in enumerate(found):
            tasks.create_task(camera.run(stub, picture, now + 0.5 + index / CAMERAS / FPS))
    for camera in found:
        ages, batches = np.array(camera.ages_ms[FPS:]), np.array(camera.infer_ms[FPS:])
        print(
            f"  {camera.outcomes['result'] / SECONDS:.1f} results/s; age ms p50 {np.percentile(ages, 50):.0f} "
            f"p95 {np.percentile(ages, 95):.0f}; its batches took p50 {np.percentile(batches, 50):.0f} "
            f"p95 {np.percentile(batches, 95):.0f}; in order {camera.in_order}; {dict(camera.outcomes)}; "
            f"unaccounted {camera.sent - sum(camera.outcomes.values())}"
        )


async def churn(server: Server) -> None:
    """Ten thousand streams of one frame each, over a connection for every hundred."""
    process = psutil.Process(server.process.pid)
    picture = jpeg(sized(320, 240))
    messages = pb.SegmentStreamRequest(config={}), pb.SegmentStreamRequest(frame=pb.Frame(encoded_image=picture))

    async def one(stub: SegmentationServiceStub) -> str:
        return ",".join([str(response.WhichOneof("outcome")) async for response in stub.SegmentStream(iter(messages))])

    async def some(count: int) -> None:
        outcomes: Counter[str] = Counter()
        for _ in range(count // AT_ONCE):
            async with connected(server) as channel:
                stub = SegmentationServiceStub(channel)
                outcomes.update(await asyncio.gather(*(one(stub) for _ in range(AT_ONCE))))
        await asyncio.sleep(1)
        print(
            f"  after {count} streams: {process.memory_info().rss / MEBI:.1f} MiB, {process.num_fds()} descriptors, "
            f"{process.num_threads()} threads; {dict(outcomes)}",
            flush=True,
        )

    print(f"  at first: {process.memory_info().rss / MEBI:.1f} MiB, {process.num_fds()} descriptors")
    for count in (1000, *[STREAMS // 4] * 4):
        await some(count)


async def overhead(server: Server) -> None:
    """One image at a time, each way in turn; what a caller waits, and of that the service's own stages."""
    small, large = sized(640, 480), sized(1920, 1080)
    raw = {
        "RGB24": pb.RawFrame(format=pb.PIXEL_FORMAT_RGB24, width=1920, height=1080, data=large.tobytes()),
        "NV12": pb.RawFrame(format=pb.PIXEL_FORMAT_NV12, width=1920, height=1080, data=nv12(large)),
    }
    pictures: dict[str, dict[str, object]] = {
        "640 x 480 JPEG": {"encoded_image": jpeg(small, 60_000)},
        "1080p JPEG": {"encoded_image": jpeg(large, 400_000)},
        "1080p RGB24": {"raw_frame": raw["RGB24"]},
        "1080p NV12": {"raw_frame": raw["NV12"]},
    }
    async with connected(server) as channel, httpx.AsyncClient(base_url=server.url) as client:
        stub = SegmentationServiceStub(channel)
        call = stub.SegmentStream()
        await call.write(pb.SegmentStreamRequest(config={}))

        async def over_http(image: dict[str, object]) -> float:
            query, headers = {"boxes": ",".join(map(str, BOX))}, {"content-type": "image/jpeg"}
            answer = await client.post("/v1/segment", params=query, content=image["encoded_image"], headers=headers)
            return float(sum(answer.raise_for_status().json()["timings_ms"].values()))

        async def by_call(image: dict[str, object]) -> float:
            answer = await stub.Segment(pb.SegmentRequest(boxes=boxes(), **image))
            return float(sum(answer.timings_ms.values()))

        async def by_stream(image: dict[str, object]) -> float:
            await call.write(pb.SegmentStreamRequest(frame=pb.Frame(boxes=boxes(), **image)))
            return float(sum((await call.read()).result.timings_ms.values()))

        ways: dict[str, Callable[[dict[str, object]], Awaitable[float]]]
        for name, image in pictures.items():
            ways = {"call": by_call, "stream": by_stream} | ({"HTTP": over_http} if "encoded_image" in image else {})
            whole: dict[str, list[float]] = {way: [] for way in ways}
            stages: dict[str, list[float]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, send in ways.items():
                    started = time.perf_counter()
                    stages[way].append(await send(image))
                    whole[way].append((time.perf_counter() - started) * 1000)
            size = pb.SegmentRequest(**image).ByteSize()
            words = [
                f"{way} {statistics.median(whole[way]):.2f} (stages {statistics.median(stages[way]):.2f})"
                for way in ways
            ]
            print(f"  {name}, {size / 1000:.0f} KB, ms p50: " + ", ".join(words), flush=True)
        await call.done_writing()


def main(chosen: list[str]) -> None:
    """Those that are named, or all."""
    runs = [
        (cameras, name, command("--constant", str(batch), "--image", str(frame), "--roi", "0"))
        for name, (batch, frame) in ENGINES.items()
    ]
    free = command("--constant", "0", "--roi", "0")
    for run, name, engine in (*runs, (churn, "no time", free), (overhead, "no time", free)):
        if not chosen or run.__name__ in chosen:
            print(f"{run.__name__}: {run.__doc__} The engine takes {name}.", flush=True)
            with serving(engine, batch_budget_ms=BUDGET_MS) as server:
                asyncio.run(run(server))


if __name__ == "__main__":
    main(sys.argv[1:])
