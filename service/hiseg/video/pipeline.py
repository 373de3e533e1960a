"""The way of a video, in one page: reading, segmenting, drawing and writing at once, frames in order, few in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from hiseg.video.boxes import BoxTrack
from hiseg.video.draw import annotate
from hiseg.video.errors import VideoError
from hiseg.video.frame import Annotated, Frame, Masker, Sink, Source
from hiseg.video.frame_buffer import FrameBuffer, Policy
from hiseg.video.lane import Lane, lane
from hiseg.video.run_stats import RunStats

MEBI = 1024 * 1024
MOST_BYTES = 128 * MEBI
"""That the frames under way may hold, by and large; at least as many frames as keep engine and encoder busy."""
LEAST_FRAMES = 2
"""One in the engine, the next before its door."""
MOST_FRAMES = 16
"""No more images fit a batch."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a video is handled.

    Attributes:
        policy: what happens to frames that come too fast.
        track: which boxes belong to which frame.
        with_lines: JSON lines are wanted.
        workers: threads that draw.
    """

    policy: Policy
    track: BoxTrack
    with_lines: bool
    workers: Executor


class Pipeline:
    """One video, once."""

    def __init__(self, plan: Plan, source: Source, masker: Masker, sink: Sink, tally: RunStats) -> None:
        self._plan = plan
        self._source = source
        self._masker = masker
        self._sink = sink
        self._tally = tally
        self._mailbox = FrameBuffer(plan.policy)
        self._room = asyncio.Semaphore(frames_under_way(plan.policy, source.frame_bytes))
        self._under_way: asyncio.Queue[asyncio.Task[Annotated | None] | None] = asyncio.Queue()
        self._broken: VideoError | None = None
        self._stopped = False

    def stop(self) -> None:
        """Read no more; :meth:`run` returns when everything is written that was read."""
        self._stopped = True
        self._source.interrupt()

    async def run(self, progress: Callable[[], None]) -> None:
        """Handle all frames; source and sink are closed at the end, whatever happens.

        Args:
            progress: called after every frame.

        Raises:
            VideoError: the input breaks off, after everything before that was written; or writing fails.
            HisegError: the masker's.
        """
        async with (
            lane("read", self._source.close, self._source.interrupt) as reading,
            lane("write", self._sink.close) as writing,
        ):
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._read(reading))
                    tasks.create_task(self._start(tasks))
                    tasks.create_task(self._write(writing, progress))
            except ExceptionGroup as group:
                raise group.exceptions[0] from None
        if self._broken:
            raise self._broken

    async def _read(self, reading: Lane) -> None:
        try:
            while not self._stopped and (frame := await reading.run(self._source.read)) is not None:
                self._tally.dropped += await self._mailbox.put(frame)
                del frame
        except VideoError as error:
            self._broken = error
        await self._mailbox.end()

    async def _start(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            # A place first, a frame then: until the last moment a newer one may take its place.
            await self._room.acquire()
            frame = await self._mailbox.get()
            if frame is None:
                self._under_way.put_nowait(None)
                return
            self._under_way.put_nowait(tasks.create_task(self._annotate(frame)))

    async def _annotate(self, frame: Frame) -> Annotated | None:
        boxes = self._plan.track.at(frame.number, frame.time)
        instances = await self._masker.masks(frame, boxes) if boxes else ()
        if instances is None:
            return None
        return await asyncio.get_running_loop().run_in_executor(
            self._plan.workers, annotate, frame, instances, self._plan.with_lines
        )

    async def _write(self, writing: Lane, progress: Callable[[], None]) -> None:
        while (task := await self._under_way.get()) is not None:
            annotated = await task
            if annotated is None:
                self._tally.dropped += 1
            else:
                await writing.run(self._sink.write, annotated)
                self._tally.wrote(annotated.frame.arrived)
            del task, annotated
            self._room.release()
            progress()


def frames_under_way(policy: Policy, frame_bytes: int) -> int:
    """So many frames are between reading and the file at once.

    Without a hurry as many as make batches, each counted as read and as drawn; else as few as keep everybody busy,
    since each waits for those before it.
    """
    if policy is not Policy.WAIT:
        return LEAST_FRAMES
    return min(MOST_FRAMES, max(LEAST_FRAMES, MOST_BYTES // (2 * frame_bytes)))
