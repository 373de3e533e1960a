"""Masks without a server: ``with Session() as session: session.segment("photo.jpg", boxes)``.

Options, results and errors are those of :class:`hiseg.Client`, so that a program can have its masks made here or by a
service. Importing this loads neither ONNX Runtime nor OpenCV: they come with the first session.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, Unpack

from hiseg.client import Result
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, Options, SegmentRequest, check_options, make_request, pop_timeout
from hiseg.core.extras import RUNNING_MODELS, needing
from hiseg.core.result import ModelRef
from hiseg.session.errors import closed
from hiseg.session.many import outcomes

if TYPE_CHECKING:
    from hiseg.session.background import Background

ARGUMENTS = {"model_repository": "the argument repository", "threads": "the argument threads"}
"""What the settings that a session takes are called there."""


class Session:
    """A model that is kept for any number of images; any number of threads and event loops can use one session.

    What is on its way at the same time is batched as a service batches requests. The model is loaded when the session
    is made. Another one that a call asks for is loaded by the first such call, and kept too. In a process that was
    forked from the one that made the session, its models are loaded again when it is first used there.

    The settings of the service hold here as well, from ``HISEG_*`` variables and ``hiseg.toml``: the models'
    repository, the default variant, threads, and the limits of images, boxes and batches. Nothing is refused for load.

    Args:
        model: name of the model for calls that name none; None: the variant decides.
        variant: its variant; None: the name decides, or else it is the default variant of the settings.
        repository: folder with ``name/version/model.onnx``; None: as the settings say.
        threads: threads of the model; 0: as the settings say, or else as many as there are cores.

    Raises:
        SessionError: there are no models, a model can't be used, or settings are refused.
        InvalidRequest: there is no such model or variant.
        ExtraMissing: packages aren't installed that this needs, such as ONNX Runtime; an :class:`ImportError`.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        variant: str | None = None,
        repository: str | os.PathLike[str] | None = None,
        threads: int = 0,
    ) -> None:
        self._overrides: dict[str, object] = {} if repository is None else {"model_repository": Path(repository)}
        self._overrides |= {"threads": threads} if threads else {}
        named = check_options({"model": model, "variant": variant})
        self._model, self._variant = named.get("model"), named.get("variant")
        self._start()

    @property
    def model(self) -> ModelRef:
        """The model of calls that name none: its ``name``, ``version`` and ``variant``."""
        return self._running().model

    def segment(self, image: ImageLike, boxes: Boxes | None = None, **options: Unpack[Options]) -> Result:
        """Get the masks of the people in the boxes.

        Args:
            image: a path, an encoded file, a Pillow image, an array uint8 ``[H, W, 3]`` in RGB, or a raw frame.
            boxes: rows of four numbers, one per person, an array or tensor ``[N, 4]``, or what a detector found
                (supervision's ``Detections``, Ultralytics' ``Boxes``). An empty list says that there is nobody;
                None has people found, and ``mode="binary"`` needs neither.
            options: ``model``, ``variant``, ``mode``, ``threshold``, ``smoothing``, ``dilation_px``,
                ``resolve_overlaps``, ``box_format``, ``normalized``, ``find``, ``find_threshold``, ``max_people``,
                ``priority``, ``timeout``; without a timeout it
                takes as long as it takes.

        Raises:
            ClientError: there is no answer; the subclass says why.
            TypeError: an option or a kind of image doesn't exist.
            OSError: the file can't be read.
        """
        future = self._submit(image, boxes, {**options})
        try:
            return future.result()
        except BaseException:
            future.cancel()  # such as at Ctrl+C
            raise

    async def asegment(self, image: ImageLike, boxes: Boxes | None = None, **options: Unpack[Options]) -> Result:
        """See :meth:`segment`; for any event loop, which waits for nothing meanwhile. Cancelling it ends the work."""
        future = await asyncio.to_thread(self._submit, image, boxes, {**options})
        return await asyncio.wrap_future(future)

    def segment_many(
        self, items: Iterable[tuple[ImageLike, Boxes | None]], **options: Unpack[Options]
    ) -> Iterator[Result | Exception]:
        """Get the masks of many images, in their order, while those that come next are on their way already.

        An image that fails ends nothing: its outcome is the exception that :meth:`segment` would have raised.

            for path, outcome in zip(paths, session.segment_many((path, boxes_of(path)) for path in paths)):
                if isinstance(outcome, Exception):
                    print(path, outcome)
                else:
                    save(path, outcome.instances)

        Images are taken, in the caller's thread, as outcomes are: those of two batches ahead, and no more than 256 MiB
        of files and pixels. Ending the loop early ends the work on them.

        Args:
            items: image and boxes of each; both as for :meth:`segment`.
            options: as for :meth:`segment`, the same for all; the timeout is that of each image.

        Raises:
            TypeError: an option doesn't exist, or an item isn't a pair.
            ClientError: an option is wrong for every image.
            Exception: what ``items`` raises.
        """
        timeless: dict[str, Any] = {**options}
        timeout = pop_timeout(timeless, None)
        self._running().check(check_options(timeless))
        return outcomes(items, timeless, lambda request: self._begin(request, timeout, time.monotonic()))

    def close(self) -> None:
        """End the threads and release the models; what is on its way is refused. A second call does nothing."""
        self._closing()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a session can't be pickled or copied; make one in each process")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _submit(self, image: ImageLike, boxes: Boxes | None, options: dict[str, Any]) -> Future[Result]:
        arrived, timeout = time.monotonic(), pop_timeout(options, None)
        return self._begin(make_request(image, boxes, options), timeout, arrived)

    def _begin(self, request: SegmentRequest, timeout: float | None, arrived: float) -> Future[Result]:
        return self._running().submit(request, None if timeout is None else arrived + timeout)

    def _running(self) -> Background:
        """What runs the models; started anew in a process that was forked from the one that it runs in."""
        if self._process != os.getpid():
            with _starting:
                if self._process != os.getpid():
                    if not self._closing.alive:
                        raise closed()
                    self._closing.detach()
                    self._start()
        return self._background

    def _start(self) -> None:
        with needing(RUNNING_MODELS):
            from hiseg.session.background import Background
            from hiseg.session.settings import read_settings
        self._background = Background(read_settings(self._overrides, ARGUMENTS), self._model, self._variant)
        self._process = os.getpid()
        # At the end of the session's life or of the process, whichever comes first.
        self._closing = weakref.finalize(self, _close, self._background, self._process)


def _close(background: Background, process: int) -> None:
    if process == os.getpid():
        background.close()


_starting = threading.Lock()


def _renew_lock() -> None:
    global _starting
    _starting = threading.Lock()  # another thread may have held it when this process was forked


os.register_at_fork(after_in_child=_renew_lock)
