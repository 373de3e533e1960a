"""Counts the functions that a request passes and the types that it becomes: ``python -m benchmarks.request_path``.

It traces one warm request over each transport with :func:`sys.setprofile`, in all threads. The engine takes no time.
"""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import grpc.aio
import httpx
import numpy as np
import PIL.Image

import hiseg
from benchmarks.harness.echo import EchoEngine, echoing
from hiseg.access.key_store import KeyStore
from hiseg.observability.metrics import Metrics
from hiseg.settings import Settings
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.generated.hiseg.v1.segmentation_pb2_grpc import SegmentationServiceStub
from hiseg.transports.grpc.server import Server
from hiseg.transports.http.app import create_http

PACKAGE = str(Path(hiseg.__file__).parent)
WARM_UP = 3
BOX = (10, 5, 30, 50)
NAMELESS = ("<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>", "<lambda>", "<module>")


class Trace:
    """Functions of the package that are called between :meth:`start` and :meth:`stop`, in all threads."""

    def __init__(self) -> None:
        self.calls: Counter[CodeType] = Counter()
        threading.setprofile(self._called)  # for threads that begin later
        self._on = False

    def start(self) -> None:
        """Forget what was called so far, and begin."""
        self.calls.clear()
        self._on = True
        sys.setprofile(self._called)

    def stop(self) -> None:
        """End; what was called stays to be read."""
        self._on = False
        sys.setprofile(None)

    def _called(self, frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if (
            self._on
            and event == "call"
            and code.co_filename.startswith(PACKAGE)
            and "generated" not in code.co_filename
        ):
            self.calls[code] += 1

    def report(self, title: str, listed: bool) -> None:
        """Print the counts, and the functions by file if they are to be listed."""
        named = [code for code in self.calls if code.co_name not in NAMELESS]
        files = {code.co_filename for code in named}
        print(
            f"{title}: {len(named)} named functions in {len(files)} files, "
            f"{len(self.calls)} with comprehensions, {sum(self.calls.values())} calls"
        )
        if listed:
            for file in sorted(files):
                names = sorted(code.co_qualname for code in named if code.co_filename == file)
                print(f"  {file.removeprefix(PACKAGE)[1:]}: {', '.join(names)}")


def photo() -> bytes:
    """A JPEG of 80 x 60 pixels."""
    file = io.BytesIO()
    PIL.Image.fromarray(np.full((60, 80, 3), 128, dtype=np.uint8)).save(file, "JPEG")
    return file.getvalue()


async def traced(trace: Trace, request: Callable[[], Awaitable[object]], title: str, listed: bool) -> None:
    """Make a request a few times, then once more while its calls are counted."""
    for _ in range(WARM_UP):
        await request()
    await asyncio.sleep(0.3)
    trace.start()
    await request()
    await asyncio.sleep(0.05)  # what is done once the answer is on its way belongs to it
    trace.stop()
    trace.report(title, listed)


async def main(listed: bool) -> None:
    """Both ways in."""
    trace, settings, metrics, keys = Trace(), Settings(), Metrics(), KeyStore()
    image = photo()
    async with echoing(EchoEngine()) as segmenter:
        transport = httpx.ASGITransport(create_http(segmenter, settings, metrics, keys))
        async with httpx.AsyncClient(transport=transport, base_url="http://hiseg") as client:
            query = {"boxes": ",".join(map(str, BOX))}

            async def post() -> None:
                answer = await client.post(
                    "/v1/segment", content=image, params=query, headers={"content-type": "image/jpeg"}
                )
                answer.raise_for_status()

            await traced(trace, post, "POST /v1/segment", listed)
        server = Server(segmenter, settings, metrics, keys)
        port = server.listen("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            box = pb.Box(x1=BOX[0], y1=BOX[1], x2=BOX[2], y2=BOX[3])
            stub = SegmentationServiceStub(channel)

            async def call() -> None:
                await stub.Segment(pb.SegmentRequest(encoded_image=image, boxes=[box]))

            await traced(trace, call, "gRPC Segment", listed)
            stream = stub.SegmentStream()
            await stream.write(pb.SegmentStreamRequest(config=pb.StreamConfig()))

            async def frame() -> None:
                await stream.write(pb.SegmentStreamRequest(frame=pb.Frame(encoded_image=image, boxes=[box])))
                response = await stream.read()
                assert response.HasField("result"), response

            await traced(trace, frame, "one frame of a gRPC stream", listed)
            await stream.done_writing()
        await server.stop(1)


if __name__ == "__main__":
    asyncio.run(main(listed="--list" in sys.argv[1:]))
