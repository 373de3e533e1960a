"""A thread with an event loop of its own, on which models run for callers in any thread and on any event loop.

So a call works the same in a script, in a notebook whose event loop is running, in a web server's thread and on its
event loop, and calls from all of them share batches.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from hiseg.api.encoding import MaskFormat, writing_cost
from hiseg.api.options import Options, Rows
from hiseg.client import InternalError, Result
from hiseg.client.request import SegmentRequest
from hiseg.core.errors import HisegError
from hiseg.core.heap import return_freed_memory
from hiseg.core.image import ImageSource
from hiseg.core.reasons import Reason
from hiseg.core.result import ModelRef
from hiseg.core.start_error import StartError
from hiseg.engines.contract import ModelError
from hiseg.engines.metadata import one_line
from hiseg.session.answer import to_result, write
from hiseg.session.embedded import EmbeddedSegmenter, embedded_segmenter
from hiseg.session.errors import SessionError, closed, to_client_error
from hiseg.session.request import read_options, to_source
from hiseg.settings import Settings

CLOSE_SECONDS = 10.0
"""Longest time that closing waits for work that can't be stopped; the thread never keeps the process from ending."""
AT_THE_END = "cannot schedule new futures after"
"""What Python's pools of threads say once the program's main thread has ended, or the pool."""
COST = writing_cost(MaskFormat.COCO_RLE)


class Background:
    """Models in a thread; made when they are ready.

    Args:
        settings: settings of the service.
        model: name of the model for requests that name none; None: the variant decides.
        variant: its variant; None: the name decides, or else it is the default variant.

    Raises:
        SessionError: there is no such model, or it can't be used.
        Exception: what loading it raises otherwise.
    """

    def __init__(self, settings: Settings, model: str | None, variant: str | None) -> None:
        self._started: Future[EmbeddedSegmenter] = Future()
        self._lock = threading.Lock()
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._thread = threading.Thread(
            target=self._run, args=(settings, model, variant), name="hiseg-session", daemon=True
        )
        self._thread.start()
        try:
            self._segmenter = self._started.result()
        except (StartError, ModelError) as error:
            raise SessionError(str(error)) from error
        except HisegError as error:
            raise to_client_error(error) from error
        except KeyboardInterrupt:  # while it loads
            self._tell_to_stop()
            raise

    @property
    def model(self) -> ModelRef:
        """The model of requests that name none."""
        return self._segmenter.model.ref

    def check(self, options: Mapping[str, Any]) -> None:
        """Check options before there is an image.

        Raises:
            InvalidRequest: one has a value that it can't have, or there is no such model.
        """
        try:
            read = read_options(options)
            self._segmenter.choose(read.model, read.variant)
        except HisegError as error:
            raise to_client_error(error) from error

    def submit(self, request: SegmentRequest, deadline: float | None) -> Future[Result]:
        """Begin to segment an image.

        Args:
            request: image, boxes and options, as the client has checked them.
            deadline: when the answer is of no use any more, on :func:`time.monotonic`'s clock; None: never.

        Returns:
            The result, or the :class:`ClientError` that there is instead. Cancelling it ends the work.

        Raises:
            InvalidRequest: an option has a value that it can't have, or the pixels won't do.
            SessionError: it was closed.
        """
        try:
            options, source = read_options(request.options), to_source(request.image, self._segmenter.limits)
        except HisegError as error:
            raise to_client_error(error) from error
        with self._lock:
            if self._is_closed:
                raise closed()
            # Before the loop is told to stop, which happens under the lock too.
            segmented = self._segment(source, request.rows, options, deadline)
            assert self._loop is not None  # since it has started
            return asyncio.run_coroutine_threadsafe(segmented, self._loop)

    def close(self) -> None:
        """Refuse what is on its way, end the threads, and release the models; a second call does nothing."""
        self._tell_to_stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(CLOSE_SECONDS)

    def _tell_to_stop(self) -> None:
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._stopping.set)

    def _run(self, settings: Settings, model: str | None, variant: str | None) -> None:
        try:
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                runner.run(self._serve(settings, model, variant))
        except BaseException as error:  # a loop can't be made either where there are too many open files
            if self._started.done():
                raise
            self._started.set_exception(error)
        return_freed_memory()  # glibc would keep most of what the models and images had

    async def _serve(self, settings: Settings, model: str | None, variant: str | None) -> None:
        self._stopping = asyncio.Event()
        with self._lock:
            if self._is_closed:
                return
            self._loop = asyncio.get_running_loop()
        async with embedded_segmenter(settings, model=model, variant=variant) as segmenter:
            self._started.set_result(segmenter)
            await self._stopping.wait()
            for task in self._tasks:
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks)

    async def _segment(
        self, image: bytes | ImageSource, rows: Rows | None, options: Options, deadline: float | None
    ) -> Result:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        try:
            result, found = await self._segmenter.segment(image, rows, options, write, deadline=deadline, cost=COST)
            return to_result(result, found)
        except asyncio.CancelledError:
            if self._is_closed:
                raise closed() from None
            raise
        except HisegError as error:
            raise to_client_error(error) from error
        except ModelError as error:
            raise SessionError(str(error)) from error
        except Exception as error:
            if isinstance(error, RuntimeError) and AT_THE_END in str(error):
                raise SessionError("the program ends, so no more work is begun") from error
            text = f"a bug: {type(error).__name__}: {one_line(error)}"
            raise InternalError(text, reason=Reason.INTERNAL_ERROR.value) from error

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # asyncio logs one that nobody looked at, such as who has cancelled the call meanwhile
