"""Gets masks from a running service, over one stream for the whole video."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hiseg import client
from hiseg.client.request import FrameOptions
from hiseg.core.box import Box
from hiseg.core.command_errors import BadOption
from hiseg.core.job import PostProcessing
from hiseg.core.policy import Policy
from hiseg.core.result import Instance
from hiseg.video.frame import Frame, VideoError

RESEND_S = 60.0
"""With WAIT, seconds for which a frame that the server drops is sent again."""
PAUSE_S = 1.0
"""Seconds before a frame is sent again, if the server names no time itself."""
SCHEMES = ("grpc://", "grpcs://")
PendingOutcome = asyncio.Future[client.Outcome]


class RemoteMasker:
    """A :class:`hiseg.video.frame.Masker` over the client's stream.

    Args:
        policy: policy of the stream; with WAIT a frame that the server drops is sent again.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._to_send: asyncio.Queue[tuple[client.Frame, PendingOutcome] | None] = asyncio.Queue()
        self._sent: deque[PendingOutcome] = deque()
        self._broken: Exception | None = None

    async def masks(self, frame: Frame, boxes: tuple[Box, ...]) -> tuple[Instance, ...] | None:
        request = client.Frame(frame.pixels, [box.as_tuple() for box in boxes], round(frame.time * 1e6))
        until = time.monotonic() + RESEND_S
        while True:
            match await self._send(request):
                case client.Segmented(result=result):
                    return tuple(Instance(Box(*found.box), found.crop, found.score) for found in result.instances)
                case client.Failed(error=error):
                    raise VideoError(f"the server, about frame {frame.number}: {error}") from error
                case client.Dropped() as dropped:
                    if self._policy is not Policy.WAIT:
                        return None
                    if time.monotonic() > until or dropped.error_reason == client.Reason.ENGINE_FAILED:
                        raise VideoError(f"the server dropped frame {frame.number}: {dropped.detail}")
                    await asyncio.sleep(dropped.retry_after or PAUSE_S)

    async def relay(
        self, to: client.AsyncClient, model: str | None, variant: str | None, post_processing: PostProcessing
    ) -> None:
        """Run the stream until :meth:`end`; if it breaks, frames without an answer, and later ones, fail with why.

        Args:
            to: client of the service.
            model: name of the model that answers; None: that of the variant.
            variant: variant of the model that answers; None: the service's default.
            post_processing: how the model's answer becomes masks.
        """
        options: FrameOptions = {
            "threshold": post_processing.threshold,
            "smoothing": post_processing.smoothing,
            "dilation_px": post_processing.dilation_px,
            "resolve_overlaps": post_processing.resolve_overlaps,
        }
        if model is not None:
            options["model"] = model
        if variant is not None:
            options["variant"] = variant
        try:
            async for outcome in to.stream(self._frames(), self._policy.value, **options):
                _complete(self._sent.popleft(), outcome)
            self._broken = VideoError("the server ended the stream")
        except client.ClientError as error:
            self._broken = VideoError(f"the server: {error}")
        except Exception as error:  # nobody shall wait for an answer that can't come
            self._broken = error
        while not self._to_send.empty():
            if (unsent := self._to_send.get_nowait()) is not None:
                self._sent.append(unsent[1])
        for pending in self._sent:
            _complete(pending, self._broken)

    def end(self) -> None:
        """End the stream: no frame will follow."""
        self._to_send.put_nowait(None)

    async def _send(self, frame: client.Frame) -> client.Outcome:
        if self._broken is not None:
            raise self._broken
        pending: PendingOutcome = asyncio.get_running_loop().create_future()
        self._to_send.put_nowait((frame, pending))
        return await pending

    async def _frames(self) -> AsyncIterator[client.Frame]:
        while (unsent := await self._to_send.get()) is not None:
            frame, pending = unsent
            self._sent.append(pending)
            yield frame


@asynccontextmanager
async def remote_masker(
    url: str, policy: Policy, model: str | None, variant: str | None, post_processing: PostProcessing
) -> AsyncIterator[RemoteMasker]:
    """Keep a stream to the service open until the end of the block.

    Raises:
        BadOption: the URL isn't that of a service with streams.
    """
    if not url.startswith(SCHEMES):
        raise BadOption("--server", url, "is not grpc://HOST:PORT or grpcs://HOST:PORT; streams go over gRPC alone")
    try:
        to = client.AsyncClient(url)
    except ValueError as error:
        raise BadOption("--server", url, f"can't be used: {error}") from error
    async with to:
        masker = RemoteMasker(policy)
        relaying = asyncio.create_task(masker.relay(to, model, variant, post_processing))
        try:
            yield masker
            masker.end()
            await relaying
        finally:
            relaying.cancel()
            await asyncio.wait([relaying])


def _complete(pending: PendingOutcome, outcome: client.Outcome | Exception) -> None:
    if pending.done():
        return  # cancelled
    if isinstance(outcome, Exception):
        pending.set_exception(outcome)
    else:
        pending.set_result(outcome)
