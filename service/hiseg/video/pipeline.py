"""Reads, segments, draws and writes a video at the same time, with frames in order and few of them in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass

from hiseg.core.policy import Policy
from hiseg.video.boxes import BoxTrack
from hiseg.video.draw import Marker, annotate
from hiseg.video.frame import AnnotatedFrame, Frame, Masker, Sink, Source, VideoError
from hiseg.video.frame_buffer import FrameBuffer
from hiseg.video.looks import OVERLAY, Style
from hiseg.video.run_stats import RunStats

MEBI = 1024 * 1024
MAX_BYTES = 128 * MEBI
"""Memory for the frames in flight, approximately; exceeded where fewer than MIN_FRAMES would fit."""
MIN_FRAMES = 2
"""One in the engine, the next one ready for it."""
MAX_FRAMES = 16
"""As many images as fit a batch."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a video is processed.

    Attributes:
        policy: what happens to frames that come too fast.
        track: which boxes belong to which frame.
        with_json: whether masks are wanted as JSON lines.
        workers: threads that draw.
        style: what is drawn.
    """

    policy: Policy
    track: BoxTrack
    with_json: bool
    workers: Executor
    style: Style = OVERLAY


class Pipeline:
    """Processes one video, once.

    Args:
        plan: how to do it.
        source: where frames come from.
        masker: what segments them.
        sinks: where each annotated frame goes.
        stats: counts what happens.
    """

    def __init__(self, plan: Plan, source: Source, masker: Masker, sinks: Sequence[Sink], stats: RunStats) -> None:
        self._plan = plan
        self._source = source
        self._masker = masker
        self._sinks = sinks
        self._stats = stats
        self._marker = Marker(plan.track.ids)
        self._buffer = FrameBuffer(plan.policy)
        self._capacity = asyncio.Semaphore(max_in_flight(plan.policy, source.frame_bytes))
        self._in_flight: asyncio.Queue[asyncio.Task[AnnotatedFrame | None] | None] = asyncio.Queue()
        self._read_error: VideoError | None = None
        self._stopped = False

    def stop(self) -> None:
        """Read no more; :meth:`run` returns when everything is written that was read."""
        self._stopped = True
        self._source.interrupt()

    async def run(self, progress: Callable[[], None]) -> None:
        """Process all frames; source and sinks are closed at the end, whatever happens.

        Args:
            progress: called after every frame.

        Raises:
            VideoError: the input breaks off, after everything before that was written; or writing fails.
            HisegError: what the masker raises.
        """
        async with (
            _own_thread("read", self._source.close, self._source.interrupt) as reader,
            _own_thread("write", self._close_sinks) as writer,
        ):
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._read_frames(reader))
                    tasks.create_task(self._start_frames(tasks))
                    tasks.create_task(self._write_frames(writer, progress))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
        if self._read_error:
            raise self._read_error

    async def _read_frames(self, reader: Executor) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self._stopped and (frame := await loop.run_in_executor(reader, self._source.read)) is not None:
                self._stats.dropped += await self._buffer.put(frame)
                del frame
        except VideoError as error:
            self._read_error = error
        await self._buffer.end()

    async def _start_frames(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            # First wait for capacity, then take a frame: until the last moment a newer one may take its place.
            await self._capacity.acquire()
            frame = await self._buffer.get()
            if frame is None:
                self._in_flight.put_nowait(None)
                return
            self._in_flight.put_nowait(tasks.create_task(self._annotate(frame)))

    async def _annotate(self, frame: Frame) -> AnnotatedFrame | None:
        found = self._plan.track.at(frame.number, frame.time)
        boxes = tuple(who.box for who in found.people)
        self._stats.record_read(frame, boxes, 0 if self._plan.track.by_time else found.age)
        instances = await self._masker.masks(frame, boxes) if boxes else ()
        if instances is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(
            self._plan.workers, annotate, frame, found, instances, self._marker, self._plan.style, self._plan.with_json
        )

    async def _write_frames(self, writer: Executor, progress: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        while (task := await self._in_flight.get()) is not None:
            annotated = await task
            if annotated is None:
                self._stats.dropped += 1
            else:
                await loop.run_in_executor(writer, self._write, annotated)
                self._stats.record_written(annotated.frame.arrived)
            del task, annotated
            self._capacity.release()
            progress()

    def _write(self, annotated: AnnotatedFrame) -> None:
        for sink in self._sinks:
            sink.write(annotated)

    def _close_sinks(self) -> None:
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close)


def max_in_flight(policy: Policy, frame_bytes: int) -> int:
    """Decide how many frames may be between reading and writing at once.

    With WAIT these are as many as make batches, within :data:`MAX_BYTES`, each frame counted as read and as drawn. Else
    they are as few as keep engine and encoder busy, since each frame waits for those before it.

    Args:
        policy: what happens to frames that come too fast.
        frame_bytes: bytes of a frame's pixels.
    """
    if policy is not Policy.WAIT:
        return MIN_FRAMES
    return min(MAX_FRAMES, max(MIN_FRAMES, MAX_BYTES // (2 * frame_bytes)))


@asynccontextmanager
async def _own_thread(
    name: str, close: Callable[[], None], interrupt: Callable[[], None] | None = None
) -> AsyncIterator[Executor]:
    """Provide a single thread for what only one thread may use, such as an open video file, until the end of the block.

    Args:
        name: name of the thread.
        close: called in the thread last of all, whatever happened.
        interrupt: called before that, outside the thread, to end a call that waits.
    """
    with ThreadPoolExecutor(1, thread_name_prefix=name) as thread:
        try:
            yield thread
        finally:
            if interrupt:
                interrupt()
            await asyncio.get_running_loop().run_in_executor(thread, close)
