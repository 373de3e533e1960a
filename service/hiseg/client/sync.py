"""The client for ordinary programs: every call blocks until it has its answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from hiseg.client.errors import ClientError
from hiseg.client.frames import FrameLike, Outcome
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, FrameOptions, Options, check_options, make_request, pop_timeout, to_seconds
from hiseg.client.result import Result
from hiseg.client.retry import RetryBudget
from hiseg.client.tls import Tls
from hiseg.client.transport import Address, StreamOptions, Transport, parse_address
from hiseg.core.policy import Policy

T = TypeVar("T")


class Client:
    """A connection to a service; any number of threads can use one client.

    Args:
        url: ``http://``, ``https://``, ``grpc://`` or ``grpcs://``, host and port.
        timeout: seconds that a request may take, retries included, unless it has a timeout of its own.
        retries: how often a request is sent again when the service refused it for load or couldn't be reached: never
            one that is invalid, never after its timeout, and not before the service's ``Retry-After``.
        api_key: key of the service, if it needs one.
        headers: sent with every request; over gRPC as metadata.
        tls: certificates, where the system's aren't the right ones.
        jpeg_quality: quality, 1..100, of the JPEG as which pixels are sent: a tenth of the bytes, and masks that
            differ a little. Without it pixels stay exact: a PNG over HTTP, raw over gRPC.
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
        self._timeout = to_seconds("timeout", timeout)
        self._retries = retries
        self._transport = _connect(
            parse_address(url, api_key=api_key, headers=headers, tls=tls, jpeg_quality=jpeg_quality)
        )

    def segment(self, image: ImageLike, boxes: Boxes | None = None, **options: Unpack[Options]) -> Result:
        """Get the masks of the people in the boxes.

        Args:
            image: a path, an encoded file, a Pillow image, or an array uint8 ``[H, W, 3]`` in RGB.
            boxes: rows of four numbers, one per person, an array or tensor ``[N, 4]``, or what a detector found
                (supervision's ``Detections``, Ultralytics' ``Boxes``). An empty list says that there is nobody;
                None has people found, and ``mode="binary"`` needs neither.
            options: ``variant``, ``model``, ``mode``, ``threshold``, ``smoothing``, ``dilation_px``,
                ``resolve_overlaps``, ``box_format``, ``normalized``, ``find``, ``find_threshold``, ``max_people``,
                ``priority``, ``timeout``.

        Raises:
            ClientError: there is no answer; the subclass says why.
        """
        request_options: dict[str, Any] = {**options}
        budget = RetryBudget(self._retries, pop_timeout(request_options, self._timeout))
        return _call(self._transport.prepare(make_request(image, boxes, request_options)), budget)

    def stream(
        self,
        frames: Iterable[FrameLike],
        policy: Policy | str = Policy.WAIT,
        *,
        reuse_boxes: bool = False,
        frame_timeout: float | None = None,
        **options: Unpack[FrameOptions],
    ) -> Iterator[Outcome]:
        """Send frames, and yield the outcome of each in their order: masks, a drop, or an error. gRPC only.

        Frames are taken in another thread, ahead of the outcomes; an exception of the iterable is raised here.

        Args:
            frames: each a :class:`Frame`, or a tuple of image, boxes and perhaps microseconds.
            policy: what becomes of a frame that arrives while those before it are being worked on.
            reuse_boxes: whether a frame without boxes has those of the frame before, moved to where its masks found
                the people.
            frame_timeout: seconds after which a frame's masks are of no use.
            options: as of :meth:`segment`, without the timeout.

        Raises:
            ClientError: the stream ended before its frames did.
            ValueError: the client speaks HTTP, or there is no such policy.
        """
        stream_options = StreamOptions(Policy(policy), check_options({**options}), reuse_boxes, frame_timeout)
        return self._transport.stream(frames, stream_options)

    def info(self) -> dict[str, Any]:
        """Ask for the service's version, what it can do, and every limit in force."""
        return _call(self._transport.info, RetryBudget(self._retries, self._timeout))

    def ready(self) -> bool:
        """Tell whether the service is there and takes requests."""
        return self._transport.ready(self._timeout)

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _connect(address: Address) -> Transport:
    # Not at the top: a client needs one of the two libraries, and takes time for it.
    if address.is_grpc:
        from hiseg.client.grpc_sync import GrpcTransport

        return GrpcTransport(address)
    from hiseg.client.http import HttpTransport

    return HttpTransport(address)


def _call(call: Callable[[float], T], budget: RetryBudget) -> T:
    """Call with the seconds that are left, again and again as far as the budget allows it."""
    while True:
        try:
            return call(budget.left())
        except ClientError as error:
            seconds = budget.pause(error)
        time.sleep(seconds)
