"""A camera for stream tests: it sends numbered frames and stores the responses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from grpc import StatusCode
from grpc.aio import EOF, AioRpcError

from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from tests.service.transports.grpc.harness import BOX, PHOTO, Running

FRAME: dict[str, Any] = {"encoded_image": PHOTO, "boxes": [BOX]}


class Camera:
    """One stream."""

    def __init__(self, service: Running, metadata: tuple[tuple[str, str], ...] = ()) -> None:
        self.service = service
        self.call = service.stub.SegmentStream(metadata=metadata)
        self.sent = 0
        self.received: list[pb.SegmentStreamResponse] = []

    @classmethod
    async def opened(cls, service: Running, **config: Any) -> Camera:
        """After the first message."""
        camera = cls(service)
        await camera.call.write(pb.SegmentStreamRequest(config=pb.StreamConfig(**config)))
        return camera

    async def send(self, count: int = 1, **fields: Any) -> None:
        """So many frames with the same image; their numbers go on from the last."""
        for _ in range(count):
            await self.send_one(fields or FRAME)

    async def send_one(self, fields: dict[str, Any]) -> None:
        """One frame that has nothing but these fields and its number."""
        frame = pb.Frame(sequence=self.sent, timestamp_us=-1000 * self.sent, **fields)
        await self.call.write(pb.SegmentStreamRequest(frame=frame))
        self.sent += 1

    async def receive(self, count: int) -> list[pb.SegmentStreamResponse]:
        """The next so many responses."""
        self.received += (found := [await self.call.read() for _ in range(count)])
        return found

    async def finish(self) -> StatusCode:
        """Say that there is nothing more to come, and read to the end."""
        await self.call.done_writing()
        return await self.rest()

    async def rest(self) -> StatusCode:
        """Read to the end; the status that it ends with."""
        with suppress(AioRpcError):  # it has the code that is returned
            while (response := await self.call.read()) is not EOF:
                self.received.append(response)
        code: StatusCode = await self.call.code()
        return code

    @property
    def outcomes(self) -> list[str]:
        """What became of the frames: "result", "error" or the reason of the drop. They are in order and complete."""
        assert [response.sequence for response in self.received] == list(range(len(self.received)))
        assert all(response.timestamp_us == -1000 * response.sequence for response in self.received)
        return [outcome(response) for response in self.received]


def outcome(response: pb.SegmentStreamResponse) -> str:
    """In one word."""
    kind = response.WhichOneof("outcome")
    if kind == "dropped":
        return pb.DropReason.Name(response.dropped.reason).removeprefix("DROP_REASON_").lower()
    return str(kind)
