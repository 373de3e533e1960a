"""The callers of the soak test: valid ones on each transport, invalid ones, and ones that hang up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import urlencode, urlsplit

import httpx
import numpy as np

from hiseg.client import AsyncClient, ClientError, Dropped, Failed, InvalidRequest, Segmented
from loadtest.shots import Shot

FORMATS = ("coco_rle", "coco_rle", "coco_rle", "png", "packed", "polygon", "label_map", "cutout", "overlay")
FRAMES = 12
POLICIES = ("wait", "drop_oldest", "latest_only")
PATIENCE_S = 0.2
"""Who hangs up does so within this time."""
REFUSED = frozenset({429, 503})
HEADERS = {"content-type": "image/jpeg"}


class Unexpected(Exception):
    """The service gave an answer that it shouldn't have given."""


@dataclass(slots=True)
class Callers:
    """One call of each kind; each opens what it needs and leaves nothing open."""

    url: str
    grpc: str
    shots: list[Shot]
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    _numbers: count[int] = field(default_factory=count)

    @property
    def kinds(self) -> Mapping[str, tuple[int, Callable[[Shot], Awaitable[str]]]]:
        """Name of each kind, how often it occurs relative to the others, and what it does; it returns the outcome."""
        return {
            "http": (8, self.http),
            "grpc": (6, self.unary),
            "stream": (1, self.stream),
            "bad": (2, self.bad),
            "hang up, http": (2, self.hang_up),
            "hang up, grpc": (1, self.hang_up_grpc),
        }

    async def call(self, kind: str) -> str:
        """Call once, with the next shot."""
        shot = self.shots[next(self._numbers) % len(self.shots)]
        return await self.kinds[kind][1](shot)

    async def http(self, shot: Shot) -> str:
        """An image over HTTP, in any format."""
        query = {"boxes": shot.query, "mask_format": str(self.random.choice(FORMATS))}
        async with httpx.AsyncClient(timeout=60) as client:
            answer = await client.post(self.url + "/v1/segment", params=query, content=shot.image, headers=HEADERS)
        if answer.status_code in REFUSED:
            return "refused"
        if answer.status_code != 200:
            raise Unexpected(f"{answer.status_code}: {answer.text[:200]}")
        return "ok"

    async def unary(self, shot: Shot) -> str:
        """An image over gRPC."""
        async with AsyncClient(self.grpc, timeout=60, retries=0) as client:
            return await _outcome(client.segment(shot.image, shot.boxes))

    async def stream(self, shot: Shot) -> str:
        """A short life of a camera; every third one is cut off in the middle."""
        number = next(self._numbers)
        cut, seen = number % 3 == 0, 0
        async with AsyncClient(self.grpc, timeout=60) as client:
            outcomes = client.stream([(shot.image, shot.boxes)] * FRAMES, POLICIES[number % len(POLICIES) - 1])
            async for outcome in outcomes:
                seen += 1
                match outcome:
                    case Failed(error=error):
                        raise Unexpected(f"a frame failed: {error}")
                    case Segmented(sequence=sequence) | Dropped(sequence=sequence) if sequence != seen - 1:
                        raise Unexpected(f"frame {sequence} came as number {seen - 1}")
                if cut and seen == FRAMES // 2:
                    return "cut off"
        if seen != FRAMES:
            raise Unexpected(f"{seen} outcomes for {FRAMES} frames")
        return "ok"

    async def bad(self, shot: Shot) -> str:
        """Something wrong, over either transport: half an image, no image, a box that is none."""
        wrong = [
            (shot.image[: len(shot.image) // 2], shot.boxes),
            (b"GIF89a, or so it says", shot.boxes),
            (b"", shot.boxes),
            (shot.image, ((50, 50, 10, 10),)),
            (shot.image, shot.boxes[:1] * 101),
        ]
        image, boxes = wrong[int(self.random.integers(len(wrong)))]
        url = self.url if self.random.random() < 0.5 else self.grpc
        async with AsyncClient(url, timeout=60, retries=0) as client:
            try:
                await client.segment(image, boxes)
            except InvalidRequest:
                return "refused"
            except ClientError as error:
                return await _excused(error)
        raise Unexpected(f"{len(image)} bytes with boxes {boxes[:1]} were taken")

    async def hang_up(self, shot: Shot) -> str:
        """Part of a request or all of it, and gone."""
        target = urlsplit(self.url)
        _, writer = await asyncio.open_connection(target.hostname, target.port)
        path = f"/v1/segment?{urlencode({'boxes': shot.query})}"
        head = (
            f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: {len(shot.image)}\r\n\r\n"
        )
        writer.write(head.encode() + shot.image[: int(len(shot.image) * self.random.uniform(0, 1.5))])
        await asyncio.sleep(self.random.uniform(0, PATIENCE_S))
        writer.transport.abort()
        await asyncio.sleep(0)
        return "gone"

    async def hang_up_grpc(self, shot: Shot) -> str:
        """A call that is cancelled while it is worked on."""
        async with AsyncClient(self.grpc, timeout=60, retries=0) as client:
            try:
                async with asyncio.timeout(self.random.uniform(0, PATIENCE_S)):
                    return await _outcome(client.segment(shot.image, shot.boxes))
            except TimeoutError:
                return "gone"


async def _outcome(call: Awaitable[object]) -> str:
    try:
        await call
    except ClientError as error:
        return await _excused(error)
    return "ok"


async def _excused(error: ClientError) -> str:
    if error.retryable and error.retry_after is not None:
        return "refused"
    raise Unexpected(f"{type(error).__name__}: {error}") from error
