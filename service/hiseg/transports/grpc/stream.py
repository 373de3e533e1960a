"""One camera's stream: frames in, and for each exactly one response out, in the same order.

Three kinds of task share it. One reads frames from the connection, for as long as the policy lets another one wait.
Whenever a frame may begin, a task of its own works on it. And one writes the responses, in order, as fast as they are
read; a frame keeps its turn until its response is written, so who doesn't read doesn't get the next one worked on.

With LATEST_ONLY the newest frame is chosen as late as possible: while one is in the engine the next is decoded and
stands ready, and is replaced, ready for ready, by a newer one for as long as it waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

from grpc.aio import EOF, BaseError, ServicerContext

from hiseg.access.quota import ClientQuota
from hiseg.batching.admission import State
from hiseg.batching.latest import Superseded
from hiseg.core.errors import DeadlineExceeded, HisegError, InvalidRequest, Unavailable
from hiseg.core.result import Result
from hiseg.observability.metrics import BUG, GONE, outcome_of
from hiseg.transports.grpc.desk import Desk
from hiseg.transports.grpc.frame import SUPERSEDED, PendingFrame, broken, failed, superseded
from hiseg.transports.grpc.frame_queue import FrameQueue
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import read_options, read_rows
from hiseg.transports.grpc.status import Refusal, bug, refusal
from hiseg.transports.grpc.stream_config import NEWEST_IN_FLIGHT, Config, read_frame
from hiseg.transports.grpc.tracking import BoxTracker

TRANSPORT = "grpc_stream"
MOST_UNANSWERED = 256
"""Frames of a stream whose responses are not written; with so many, no more are read."""
POLL_S = 0.25
"""So long after it began at most, a stream notices that the service drains."""
Context = ServicerContext[Any, pb.SegmentStreamResponse]


class Stream:
    """A stream after its first message.

    Args:
        desk: what does the work.
        context: gRPC's.
        config: how it goes.
        caller: who has opened it; its frames count like requests.
        client: whose share of the engine it has; each stream must have another.
        traceparent: the caller's place in a trace, for all its frames.
    """

    def __init__(
        self, desk: Desk, context: Context, config: Config, caller: ClientQuota, client: str, traceparent: str = ""
    ) -> None:
        self._desk = desk
        self._context = context
        self._config = config
        self._caller = caller
        self._client = client
        self._traceparent = traceparent
        self._loop = asyncio.get_running_loop()
        self._line: FrameQueue[PendingFrame] = FrameQueue(config.policy, desk.settings.grpc_stream_queue)
        self._memory = BoxTracker()
        self._order: asyncio.Queue[PendingFrame | None] = asyncio.Queue()
        self._moved = asyncio.Event()
        self._open: set[PendingFrame] = set()
        self.frames: Counter[str] = Counter()
        """That are over, by outcome."""
        self._taken = 0
        self._last_arrival = self._loop.time()
        self._gap_s = 0.0
        """Between the last two frames."""
        self._working = 0
        self._unwritten = 0
        """Of those that have begun and were not superseded."""
        self.ending: Refusal | None = None
        self._ended = False
        """No more frames are taken."""
        self._draining = False

    async def run(self) -> None:
        """From the first frame to the last response."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                reading = self._tasks.create_task(self._read())
                draining = self._tasks.create_task(self._notice_draining())
                await self._write()
                draining.cancel()
                if self.ending:
                    # This also ends a read that is under way; cancelled, it would leave gRPC a dangling pointer.
                    with suppress(BaseError):
                        await self._context.abort(*self.ending)
                await reading
        except* BaseError:
            pass  # the caller is gone: nothing can be written any more
        finally:
            for ticket in self._open:
                ticket.release()

    async def _read(self) -> None:
        while not self._ended:
            try:
                data = await self._context.read()
            except BaseError:  # by now the stream has ended
                return
            if data is EOF or self._ended:
                break
            try:
                self._take(read_frame(data), len(data))
            except InvalidRequest as error:
                self._end(refusal(error))
            while not self._ended and not (self._line.is_open and len(self._open) < MOST_UNANSWERED):
                self._moved.clear()
                await self._moved.wait()
        self._end()

    async def _notice_draining(self) -> None:
        while self._desk.segmenter.admission.state is not State.DRAINING:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        self._draining = True
        self._end(refusal(Unavailable("the service is shutting down", reason=State.DRAINING)))

    def _end(self, ending: Refusal | None = None) -> None:
        """Take no more frames; the stream ends when all that were taken have their responses, with OK if left out."""
        if not self._ended:
            self._ended, self.ending = True, ending
            self._order.put_nowait(None)
        self._advance()

    def _take(self, frame: pb.Frame, size: int) -> None:
        ticket = PendingFrame(self._taken, frame, self._config.options, self._loop.time(), self._loop.create_future())
        self._taken += 1
        self._gap_s, self._last_arrival = ticket.arrived - self._last_arrival, ticket.arrived
        self._open.add(ticket)
        self._order.put_nowait(ticket)
        try:
            if frame.HasField("options"):
                ticket.options = read_options(frame.options)
            self._caller.spend()
            ticket.place = self._desk.segmenter.admission.admit(self._client, size)
        except HisegError as error:
            self._close(ticket, failed(error), error)
            return
        ticket.timer = self._loop.call_later(self._config.deadline_s, self._expire, ticket)
        if oldest := self._line.put(ticket):
            self._close(oldest, superseded(), SUPERSEDED)
        self._advance()

    def _expire(self, ticket: PendingFrame) -> None:
        self._line.remove(ticket)
        error = DeadlineExceeded("it waited until its deadline", field="config.frame_deadline_ms")
        self._close(ticket, failed(error), error)
        self._moved.set()

    def _advance(self) -> None:
        """Begin what may begin; called after every change."""
        most = self._config.in_flight
        # In the end frames don't wait for those before them to be read: the service waits for all that it has taken.
        while len(self._line) and self._has_turn() and (self._draining or self._unwritten < most):
            ticket = self._line.next()
            ticket.begin()
            self._working += 1
            self._unwritten += 1
            self._tasks.create_task(self._work(ticket))
        self._moved.set()

    def _has_turn(self) -> bool:
        """Whether one more is worked on."""
        if not self._config.latest or self._working < NEWEST_IN_FLIGHT - 1:
            return self._working < self._config.in_flight
        # To decode a frame in another's place is for nothing if two more will come before the engine can take it: one
        # may come too late to be decoded.
        following = next(iter(self._line))
        return self._working < NEWEST_IN_FLIGHT and self._desk.free_in_s(following.options) <= 2 * self._gap_s

    async def _work(self, ticket: PendingFrame) -> None:
        failure: HisegError | str | None = None
        span = self._desk.segmenter.tracing.request(f"{TRANSPORT} frame", self._traceparent)
        try:
            outcome = pb.SegmentStreamResponse(result=await self._masks(ticket, span.traceparent))
        except Superseded:
            failure, outcome = SUPERSEDED, superseded()
            # It waits for those before it to be written, and must not keep others from being worked on meanwhile.
            self._unwritten -= 1
            ticket.begun = False
        except HisegError as error:
            failure, outcome = error, failed(error)
        except Exception:
            failure, outcome = BUG, broken(bug())
        except asyncio.CancelledError:
            failure = GONE
            raise
        finally:
            self._working -= 1
            span.end(outcome_of(failure))
        self._close(ticket, outcome, failure)
        self._advance()

    async def _masks(self, ticket: PendingFrame, traceparent: str) -> pb.SegmentResponse:
        given = ticket.rows is not None or not self._config.reuse_boxes
        boxes = read_rows(ticket.frame, ticket.options).on if given else self._memory.on
        deadline = ticket.arrived + self._config.deadline_s
        job = self._desk.job(
            ticket.frame, boxes, ticket.options, self._client, deadline, traceparent, self._config.latest
        )
        ticket.forget_image()
        assert ticket.place
        result, message = await self._desk.answer(job, ticket.place, ticket.options)
        self._remember(ticket, result)
        return message

    def _remember(self, ticket: PendingFrame, result: Result | None) -> None:
        if not self._config.reuse_boxes:
            return
        if result and not result.foreground:
            self._memory.found(ticket.number, result)
        elif ticket.rows is not None:
            self._memory.given(ticket.number, ticket.rows)

    def _close(self, ticket: PendingFrame, outcome: pb.SegmentStreamResponse, failure: HisegError | str | None) -> None:
        """Every frame comes here once, unless the caller is gone before."""
        if outcome.HasField("dropped"):
            self._remember(ticket, None)
        variant, seconds = self._desk.label(ticket.options), self._loop.time() - ticket.arrived
        self.frames[outcome_of(failure)] += 1
        self._desk.metrics.answered(TRANSPORT, variant, seconds, failure)
        ticket.close(outcome)

    async def _write(self) -> None:
        while ticket := await self._order.get():
            await self._context.write(await ticket.response)
            self._open.discard(ticket)
            self._unwritten -= ticket.begun
            self._advance()
