"""The client for ordinary programs: every call waits for its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from hiseg.client.connect import connect
from hiseg.client.connection import StreamOptions, address
from hiseg.client.errors import ClientError
from hiseg.client.frames import FrameLike, Outcome, Policy
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, FrameOptions, Options, ask, checked
from hiseg.client.result import Result
from hiseg.client.retry import RetryBudget
from hiseg.client.tls import Tls

T = TypeVar("T")


class Client:
    """A service; one client serves any number of threads.

    Args:
        url: ``http://``, ``https://``, ``grpc://`` or ``grpcs://``, host and port.
        timeout: seconds that a request may take, its new tries included, unless it says otherwise itself.
        retries: how often a request is tried again that was turned away, or found nobody: never one that was wrong,
            never after its time, and not before the service's ``Retry-After``.
        api_key: for services that want one.
        headers: sent with every request; over gRPC as metadata.
        tls: certificates, where the system's aren't the right ones.
        jpeg_quality: pixels are sent as JPEGs of this quality: a tenth of the bytes, and masks that differ a little.
            Without it they aren't changed: a PNG over HTTP, as they are over gRPC.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 30.0,
        retries: int = 2,
        api_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        tls: Tls | None = None,
        jpeg_quality: int | None = None,
    ) -> None:
        self._timeout = timeout
        self._retries = retries
        self._transport = connect(address(url, api_key=api_key, headers=headers, tls=tls, jpeg_quality=jpeg_quality))

    def segment(self, image: ImageLike, boxes: Boxes, **options: Unpack[Options]) -> Result:
        """Masks for the people in the boxes.

        Args:
            image: a path, an encoded file, a Pillow image, or an array uint8 ``[H, W, 3]`` in RGB.
            boxes: one row of four numbers per person.
            options: ``variant``, ``mode``, ``threshold``, ``smoothing``, ``dilation_px``, ``resolve_overlaps``,
                ``box_format``, ``normalized``, ``priority``, ``timeout``.

        Raises:
            ClientError: there are no masks; the subclass says why.
        """
        given: dict[str, Any] = {**options}
        tries = RetryBudget(self._retries, given.pop("timeout", self._timeout))
        return _tried(self._transport.prepare(ask(image, boxes, given)), tries)

    def stream(
        self,
        frames: Iterable[FrameLike],
        policy: Policy | str = Policy.WAIT,
        *,
        reuse_boxes: bool = False,
        frame_timeout: float | None = None,
        **options: Unpack[FrameOptions],
    ) -> Iterator[Outcome]:
        """What becomes of each frame, in the order of the frames: masks, a drop, or an error. gRPC only.

        The frames are taken in another thread, ahead of the outcomes; an exception of theirs is raised here.

        Args:
            frames: each a :class:`Frame`, or a tuple of image, boxes and perhaps microseconds.
            policy: what becomes of a frame that can't be worked on at once.
            reuse_boxes: a frame without boxes has those of the frame before, moved to where its masks found the people.
            frame_timeout: seconds after which a frame's masks are worth nothing.
            options: as of :meth:`segment`, but for the timeout.

        Raises:
            ClientError: the stream ended before its frames did.
            ValueError: an HTTP client's, or a policy that there isn't.
        """
        how = StreamOptions(Policy(policy), checked({**options}), reuse_boxes, frame_timeout)
        return self._transport.stream(frames, how)

    def info(self) -> dict[str, Any]:
        """Version, what can be asked for, and every limit in force."""
        return _tried(self._transport.info, RetryBudget(self._retries, self._timeout))

    def ready(self) -> bool:
        """Whether the service is there and takes requests."""
        return self._transport.ready(self._timeout)

    def close(self) -> None:
        """End the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _tried(call: Callable[[float], T], tries: RetryBudget) -> T:
    while True:
        try:
            return call(tries.left())
        except ClientError as error:
            seconds = tries.pause(error)
        time.sleep(seconds)
