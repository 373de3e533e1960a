"""A real gRPC server on loopback around an echo engine, and a client of it, on one event loop."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import grpc.aio
import numpy as np
import PIL.Image
from grpc.aio import AioRpcError

from benchmarks.harness.echo import EchoEngine, echoing
from hiseg.access.key_store import KeyStore
from hiseg.observability.metrics import Metrics
from hiseg.observability.tracing import OFF, Tracing
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from hiseg.transports.grpc.server import Server

WIDTH, HEIGHT = 80, 60
CLIENT_OPTIONS = [("grpc.enable_http_proxy", 0)]


def photo() -> bytes:
    """A PNG whose left half is red and whose right half is black."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
    pixels[:, : WIDTH // 2, 0] = 255
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


PHOTO = photo()
BOX = pb.Box(x1=10, y1=5, x2=30, y2=50)


@dataclass
class Running:
    """What a test can reach for."""

    engine: EchoEngine
    segmenter: Segmenter
    metrics: Metrics
    address: str
    channel: grpc.aio.Channel
    stub: SegmentationServiceStub

    def counted(self, transport: str = "grpc") -> dict[str, int]:
        """Calls, or frames, counted so far, by outcome."""
        samples = [sample for metric in self.metrics.registry.collect() for sample in metric.samples]
        return {
            sample.labels["outcome"]: int(sample.value)
            for sample in samples
            if sample.name == "hiseg_requests_total" and sample.labels["transport"] == transport
        }

    async def decoded(self) -> None:
        """Wait until all images that were let in so far are decoded, and the batcher knows."""
        await asyncio.sleep(0)  # a job's decoding is handed to the threads in the step after it was let in
        for _ in range(5000):
            if not self.segmenter.workers.pending:
                return
            await asyncio.sleep(0.001)
        raise AssertionError("images are still being decoded")

    async def refused(self, request: pb.SegmentRequest, within: float | None = 10) -> AioRpcError:
        """The error that a call ends with."""
        try:
            answer = await self.stub.Segment(request, timeout=within)
        except AioRpcError as error:
            return error
        raise AssertionError(f"answered: {answer}")


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something to become true; longer than any machine is busy, for what doesn't come fails either way."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(
    settings: Settings | None = None,
    engine: EchoEngine | None = None,
    credentials: grpc.ChannelCredentials | None = None,
    tracing: Tracing = OFF,
) -> AsyncIterator[Running]:
    """The server, taking requests.

    Args:
        settings: the server's.
        engine: what it stands before.
        credentials: the client's; plain text if left out.
        tracing: who takes spans.
    """
    engine, metrics = engine or EchoEngine(), Metrics()
    settings = settings or Settings()
    async with echoing(engine, settings.batch_limits, tracing=tracing) as segmenter:
        key_store = KeyStore(settings.api_keys, settings.api_keys_file, settings.key_limits)
        server = Server(segmenter, settings, metrics, key_store)
        address = f"127.0.0.1:{server.listen('127.0.0.1:0')}"
        await server.start()
        try:
            async with connected(address, credentials) as channel, key_store.watching():
                yield Running(engine, segmenter, metrics, address, channel, SegmentationServiceStub(channel))
        finally:
            engine.gate.set()
            await server.stop(1)


def connected(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """A channel to a server."""
    if credentials:
        return grpc.aio.secure_channel(address, credentials, options=CLIENT_OPTIONS)
    return grpc.aio.insecure_channel(address, options=CLIENT_OPTIONS)
