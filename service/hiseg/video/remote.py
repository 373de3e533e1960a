"""Masks from a running service: one stream for the whole video, frames out and masks back in the same order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hiseg import client
from hiseg.client.request import FrameOptions
from hiseg.core.box import Box
from hiseg.core.job import PostProcessing
from hiseg.core.result import Instance
from hiseg.video.errors import BadOption, VideoError
from hiseg.video.frame import Frame
from hiseg.video.frame_buffer import Policy

PATIENCE_S = 60.0
"""How long a frame of which none may be dropped is offered to a server that turns it away."""
PAUSE_S = 1.0
"""Between two offers, if the server names no time itself."""
SCHEMES = ("grpc://", "grpcs://")
Answer = asyncio.Future[client.Outcome]


class Remote:
    """A :class:`hiseg.video.frame.Masker` over the client's stream.

    Args:
        policy: with WAIT a frame that the server drops is sent once more.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._asked: asyncio.Queue[tuple[client.Frame, Answer] | None] = asyncio.Queue()
        self._unanswered: deque[Answer] = deque()
        self._gone: Exception | None = None

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...] | None:
        question = client.Frame(frame.pixels, [box.as_tuple() for box in boxes], round(frame.time * 1e6))
        until = time.monotonic() + PATIENCE_S
        while True:
            match await self._ask(question):
                case client.Segmented(result=result):
                    return tuple(Instance(Box(*found.box), found.crop, found.score) for found in result.instances)
                case client.Failed(error=error):
                    raise VideoError(f"the server, about frame {frame.number}: {error}") from error
                case client.Dropped() as dropped:
                    if self._policy is not Policy.WAIT:
                        return None
                    if time.monotonic() > until:
                        raise VideoError(f"the server dropped frame {frame.number}: {dropped.detail}")
                    await asyncio.sleep(dropped.retry_after or PAUSE_S)

    async def relay(self, to: client.AsyncClient, variant: str | None, finish: PostProcessing) -> None:
        """Carry frames and answers until :meth:`end`; if the stream breaks, whatever is asked then fails with why."""
        options: FrameOptions = {
            "threshold": finish.threshold,
            "smoothing": finish.smoothing,
            "dilation_px": finish.dilation_px,
            "resolve_overlaps": finish.resolve_overlaps,
        }
        if variant is not None:
            options["variant"] = variant
        try:
            async for outcome in to.stream(self._frames(), self._policy.value, **options):
                _settle(self._unanswered.popleft(), outcome)
            self._gone = VideoError("the server ended the stream")
        except client.ClientError as error:
            self._gone = VideoError(f"the server: {error}")
        except Exception as error:  # nobody shall wait for an answer that can't come
            self._gone = error
        while not self._asked.empty():
            if (asked := self._asked.get_nowait()) is not None:
                self._unanswered.append(asked[1])
        for answer in self._unanswered:
            _settle(answer, self._gone)

    def end(self) -> None:
        """No frame will follow."""
        self._asked.put_nowait(None)

    async def _ask(self, question: client.Frame) -> client.Outcome:
        if self._gone is not None:
            raise self._gone
        answer: Answer = asyncio.get_running_loop().create_future()
        self._asked.put_nowait((question, answer))
        return await answer

    async def _frames(self) -> AsyncIterator[client.Frame]:
        while (asked := await self._asked.get()) is not None:
            question, answer = asked
            self._unanswered.append(answer)
            yield question


@asynccontextmanager
async def remote(url: str, policy: Policy, variant: str | None, finish: PostProcessing) -> AsyncIterator[Remote]:
    """A stream to the service until the end of the block.

    Raises:
        BadOption: not the URL of a service with streams.
    """
    if not url.startswith(SCHEMES):
        raise BadOption("--server", url, "is not grpc://HOST:PORT or grpcs://HOST:PORT; streams go over gRPC alone")
    try:
        to = client.AsyncClient(url)
    except ValueError as error:
        raise BadOption("--server", url, f"can't be used: {error}") from error
    async with to:
        own = Remote(policy)
        relaying = asyncio.create_task(own.relay(to, variant, finish))
        try:
            yield own
            own.end()
            await relaying
        finally:
            relaying.cancel()
            await asyncio.wait([relaying])


def _settle(answer: Answer, outcome: client.Outcome | Exception) -> None:
    if answer.done():
        return  # who asked has gone
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
