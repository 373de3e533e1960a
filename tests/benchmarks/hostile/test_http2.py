"""The frames that are written by hand are HTTP/2: a real server answers what is well behaved in them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.hostile.http2 import Http2, grpc_message
from benchmarks.hostile.kind import Target
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.harness import BOX, PHOTO, running


def call(port: int, method: str, payload: bytes) -> int:
    """Bytes of the answer to one call."""
    connection = Http2(Target(0, port, Path()), address="127.0.0.1")
    stream = connection.open(f"/hiseg.v1.SegmentationService/{method}")
    give_up = time.monotonic() + 20
    connection.send_all(stream, grpc_message(payload), give_up)
    connection.end(stream)
    while stream not in connection.ended and time.monotonic() < give_up:
        connection.pump(0.05)
    connection.socket.close()
    return connection.received.get(stream, 0)


def test_a_call_is_answered() -> None:
    # More than the first windows let through, so that they must be seen to open.
    large = pb.SegmentRequest(encoded_image=PHOTO + bytes(300_000), boxes=[BOX]).SerializeToString()

    async def scenario() -> None:
        async with running() as service:
            port = int(service.address.rpartition(":")[2])
            assert await asyncio.to_thread(call, port, "Segment", large) > 5
            assert await asyncio.to_thread(call, port, "GetInfo", b"") > 100

    asyncio.run(scenario())
