"""One camera's stream: frames in, and for each exactly one response out, in the same order.

Three kinds of task share it. One reads frames from the connection, for as long as the policy lets another one wait.
Whenever a frame's turn comes, a task of its own segments it. And one writes the responses, in order, as fast as they
are read; a frame keeps its turn until its response is written, so a client that doesn't read gets no more work done.

With LATEST_ONLY the newest frame is chosen as late as possible: while one is in the engine the next is decoded and
stands ready, and is replaced, ready for ready, by a newer one for as long as it waits.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

from hiseg.api.exchange import RequestContext
from hiseg.api.limits import MAX_UNANSWERED_FRAMES, STREAM_IDLE_SECONDS
from hiseg.api.options import Boxes
from hiseg.api.outcomes import ClientDisconnected, failure_of
from hiseg.batching.latest import Superseded
from hiseg.core.errors import DeadlineExceeded, HisegError, Reason, TooLarge, Unauthorized, Unavailable, forget_frames
from hiseg.core.result import Result
from hiseg.observability.metrics import GONE, outcome_of
from hiseg.segmenter import Segmenter
from hiseg.settings import Settings
from hiseg.transports.grpc.answers import segment
from hiseg.transports.grpc.call import Call
from hiseg.transports.grpc.frame import PendingFrame, failure_response, superseded_response
from hiseg.transports.grpc.frame_queue import FrameQueue
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.requests import notes_on, read_image, read_options, read_rows
from hiseg.transports.grpc.stream_config import NEWEST_IN_FLIGHT, StreamConfig, read_frame
from hiseg.transports.grpc.tracking import BoxTracker

KEY_CHECK_SECONDS = 1.0
"""Time between two looks at whether the key of a stream is still in force."""
RESPONSE_COPIES = 3
"""How often a response is in memory until it has been read: as a message, as bytes, and in gRPC."""


class Stream:
    """A stream after its first message.

    Args:
        call: the call.
        config: the configuration of the stream.
        open_frame: opens a frame of so many bytes as a request of its own.
        check_key: raises :class:`Unauthorized` if the key of the stream isn't in force any more.
        segmenter: runs the frames.
        settings: with the limits of frames.
    """

    def __init__(
        self,
        call: Call,
        config: StreamConfig,
        open_frame: Callable[[int], RequestContext],
        check_key: Callable[[], object],
        segmenter: Segmenter,
        settings: Settings,
    ) -> None:
        self._call = call
        self._check_key = check_key
        self._config = config
        self._open_frame = open_frame
        self._segmenter = segmenter
        self._max_boxes = settings.max_boxes
        self._loop = asyncio.get_running_loop()
        self._queue: FrameQueue[PendingFrame] = FrameQueue(config.policy, settings.grpc_stream_queue)
        self._tracker = BoxTracker()
        self._responses: asyncio.Queue[PendingFrame | None] = asyncio.Queue()
        """Frames in the order in which their responses are written; None: there are no more."""
        self._unanswered: set[PendingFrame] = set()
        self._changed = asyncio.Event()
        self.outcomes: Counter[str] = Counter()
        """Number of frames that have ended, by outcome."""
        self._received = 0
        self._last_arrival = self._loop.time()
        self._interval_s = 0.0
        """Seconds between the last two frames."""
        self._in_progress = 0
        self._unwritten = 0
        """Number of frames whose turn came, that were not superseded, and whose response isn't written."""
        self.ending: Exception | None = None
        """The error whose status the stream ends with, or :class:`ClientDisconnected`; None: OK."""
        self._ended = False
        """No more frames are taken."""
        self._draining = False

    async def run(self) -> None:
        """Serve the stream from its first frame to its last response; :attr:`ending` says how it ended."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                reading = self._tasks.create_task(self._read())
                watching = [self._tasks.create_task(self._end_when_draining())]
                watching.append(self._tasks.create_task(self._end_when_key_is_gone()))
                await self._write()
                for each in watching:
                    each.cancel()
                if isinstance(self.ending, HisegError):
                    self._call.end(self.ending)  # this ends a read that is under way, too
                    await self._call.wait_until_ended()
                await reading
        except* (HisegError, ClientDisconnected) as group:
            # Nothing can be written any more.
            self.ending = self.ending or group.exceptions[0]
        finally:
            for frame in self._unanswered:
                frame.stop_timer()
                frame.context.close(asyncio.CancelledError())
                frame.release_response()
                self.outcomes[GONE] += not frame.response.done()

    async def _read(self) -> None:
        while not self._ended:
            try:
                data = await self._call.read(STREAM_IDLE_SECONDS, idle_error)
                if data is None or self._ended:
                    break
                self._receive(read_frame(data, self._max_boxes), len(data))
                del data
            except HisegError as error:
                self._end(error)
            except ClientDisconnected:  # by now the stream has ended
                return
            while not self._ended and not (self._queue.is_open and len(self._unanswered) < MAX_UNANSWERED_FRAMES):
                self._changed.clear()
                await self._changed.wait()
        self._end()

    async def _end_when_draining(self) -> None:
        await self._segmenter.admission.wait_until_draining()
        self._draining = True
        self._end(Unavailable("the service is shutting down", reason=Reason.SHUTTING_DOWN))

    async def _end_when_key_is_gone(self) -> None:
        while True:
            await asyncio.sleep(KEY_CHECK_SECONDS)
            try:
                self._check_key()
            except Unauthorized as error:
                self._end(error)
                self._call.end(error)
                return

    def _end(self, ending: HisegError | None = None) -> None:
        """Take no more frames; the stream ends as soon as all that were taken have their responses.

        Args:
            ending: the error whose status it ends with; None: OK.
        """
        if not self._ended:
            self._ended, self.ending = True, ending and forget_frames(ending)
            self._responses.put_nowait(None)
        self._advance()

    def _receive(self, message: pb.Frame, size: int) -> None:
        """Admit a frame and let it wait for its turn; it may take the place of an older one."""
        context = self._open_frame(size)
        frame = PendingFrame(self._received, message, context, self._config.options, self._loop.create_future())
        self._received += 1
        now = self._loop.time()
        self._interval_s, self._last_arrival = now - self._last_arrival, now
        self._unanswered.add(frame)
        self._responses.put_nowait(frame)
        try:
            context.admit()
            if message.HasField("options"):
                frame.options = read_options(message.options)
            asked, has_boxes = context.choose_model(frame.options).name, self._config.reuse_boxes or bool(message.boxes)
            frame.model = self._segmenter.choose_graph(asked, frame.options.mode, has_boxes)[0].ref.name
        except Exception as error:
            self._fail(frame, error)
            return
        frame.timer = self._loop.call_later(self._config.deadline_s, self._expire, frame)
        if oldest := self._queue.put(frame):
            self._fail(oldest, Superseded())
        self._advance()

    def _expire(self, frame: PendingFrame) -> None:
        self._queue.remove(frame)
        self._fail(frame, DeadlineExceeded("it waited until its deadline", field="config.frame_deadline_ms"))
        self._changed.set()

    def _advance(self) -> None:
        """Begin every frame whose turn has come; called after every change."""
        limit = self._config.in_flight
        # In the end frames don't wait for those before them to be read: the service waits for all that it has taken.
        while len(self._queue) and self._has_turn() and (self._draining or self._unwritten < limit):
            frame = self._queue.next()
            frame.begin()
            self._in_progress += 1
            self._unwritten += 1
            self._tasks.create_task(self._process(frame))
        self._changed.set()

    def _has_turn(self) -> bool:
        """Whether another frame may be in progress."""
        if not self._config.latest or self._in_progress < NEWEST_IN_FLIGHT - 1:
            return self._in_progress < self._config.in_flight
        if self._in_progress >= NEWEST_IN_FLIGHT:
            return False
        # To decode a frame in another's place is for nothing if two more will come before the engine can take it: one
        # may come too late to be decoded.
        following = next(iter(self._queue))
        free_in_ms = self._segmenter.batchers[following.model].wait_estimator.next_free_ms()
        return free_in_ms / 1000 <= 2 * self._interval_s

    async def _process(self, frame: PendingFrame) -> None:
        """Segment a frame whose turn has come."""
        try:
            with frame.context:
                response = pb.SegmentStreamResponse(result=await self._segment(frame))
                frame.keep_response(RESPONSE_COPIES * response.ByteSize())
        except Superseded as error:
            # It waits for those before it to be written, and must not keep others from being segmented meanwhile.
            self._unwritten -= 1
            frame.begun = False
            self._fail(frame, error)
        except HisegError as error:
            self._fail(frame, error)
        else:
            self._finish(frame, response)
        finally:
            self._in_progress -= 1
        self._advance()

    async def _segment(self, frame: PendingFrame) -> pb.SegmentResponse:
        boxes: Boxes = self._tracker.boxes_for
        if frame.has_boxes or not self._config.reuse_boxes or self._tracker.is_empty:
            boxes = read_rows(frame.message, frame.options, self._max_boxes).numbers
        if not boxes and not frame.message.forget_boxes and self._segmenter.finder:
            boxes = None  # left out
        notes = self._config.notes + notes_on(frame.message)
        image = read_image(frame.message, self._segmenter.limits)
        frame.release_image()
        result, message = await segment(frame.context, image, boxes, frame.options, notes, self._config.latest)
        self._track(frame, result)
        return message

    def _track(self, frame: PendingFrame, result: Result | None) -> None:
        """Remember where the people of a frame are, for later frames without boxes."""
        if not self._config.reuse_boxes:
            return
        if result and (result.people or not result.foreground):
            self._tracker.remember_masks(frame.number, result)
        elif frame.has_boxes:
            with suppress(TooLarge):
                self._tracker.remember_boxes(frame.number, read_rows(frame.message, frame.options, self._max_boxes))

    def _fail(self, frame: PendingFrame, error: Exception) -> None:
        """End a frame that got no masks."""
        answer = frame.context.close(error) or error
        response = failure_response(answer) if isinstance(answer, HisegError) else superseded_response()
        if response.HasField("dropped"):
            self._track(frame, None)
        self._finish(frame, response, answer)

    def _finish(self, frame: PendingFrame, response: pb.SegmentStreamResponse, error: Exception | None = None) -> None:
        """Count the outcome of a frame and set its response; called once for each frame whose caller isn't gone."""
        self.outcomes[outcome_of(failure_of(error))] += 1
        frame.respond(response)

    async def _write(self) -> None:
        while frame := await self._responses.get():
            await self._call.write(await frame.response, STREAM_IDLE_SECONDS)
            frame.release_response()
            self._unanswered.discard(frame)
            self._unwritten -= frame.begun
            self._advance()


def idle_error() -> DeadlineExceeded:
    """The error for a stream on which no frame has come for too long."""
    return DeadlineExceeded(
        f"no frame came for {STREAM_IDLE_SECONDS:g} s",
        reason=Reason.STREAM_IDLE,
        field="frame",
        limit=STREAM_IDLE_SECONDS,
    )
