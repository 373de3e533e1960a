"""Many images, one after the other: those ahead are on their way, as many as make batches and fit into memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import numpy as np

from hiseg.client import RawFrame, Result
from hiseg.client.images import ImageLike
from hiseg.client.request import Boxes, SegmentRequest, make_request

MAX_AHEAD = 32
"""Most images that are on their way: two batches of the default size."""
MAX_BYTES = 256 * 2**20
"""Most bytes of their files and pixels; one image may have more by itself."""
Item = tuple[ImageLike, Boxes | None]
"""An image and its boxes."""
Begin = Callable[[SegmentRequest], Future[Result]]
"""Begins to segment an image."""


def outcomes(items: Iterable[Item], options: Mapping[str, Any], begin: Begin) -> Iterator[Result | Exception]:
    """Yield the result of each image in their order, or the exception that there is instead.

    Each time that an outcome is asked for, an image is taken, so that work goes on while outcomes are used; and more,
    up to the limits, while the outcome isn't there yet. So neither slow images hold back outcomes, nor the use of
    outcomes the work.

    Args:
        items: image and boxes of each.
        options: options of all.
        begin: begins to segment an image.

    Raises:
        TypeError: an item isn't a pair.
        Exception: what ``items`` raises.
    """
    left, ahead, held = iter(items), deque[tuple[Future[Result], int]](), 0
    has_more, is_due = True, True
    try:
        while True:
            while has_more and (is_due or not ahead[0][0].done()) and len(ahead) < MAX_AHEAD and held < MAX_BYTES:
                is_due = False
                try:
                    future, nbytes = _begin(_pair(next(left)), options, begin)
                except StopIteration:
                    has_more = False
                else:
                    ahead.append((future, nbytes))
                    held += nbytes
            if not ahead:
                return
            yield _outcome(ahead[0][0])
            held -= ahead.popleft()[1]
            is_due = True
    finally:
        for future, _ in ahead:
            future.cancel()


def _pair(item: Any) -> Item:
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise TypeError(f"an item is a pair of image and boxes, which may be None, not {type(item).__name__}")
    return item[0], item[1]


def _begin(item: Item, options: Mapping[str, Any], begin: Begin) -> tuple[Future[Result], int]:
    """Begin to segment an image, and tell how many bytes it takes."""
    image, boxes = item
    try:
        request = make_request(image, boxes, options)
        if request.image is image and isinstance(image, np.ndarray):
            # Whoever reads a video or a camera may put the next frame into the same array.
            request = replace(request, image=image.copy())
        return begin(request), _nbytes(request)
    except Exception as error:
        failed: Future[Result] = Future()
        failed.set_exception(error)
        return failed, 0


def _nbytes(request: SegmentRequest) -> int:
    image = request.image
    if isinstance(image, np.ndarray):
        return image.nbytes
    return len(image.data if isinstance(image, RawFrame) else image)


def _outcome(future: Future[Result]) -> Result | Exception:
    try:
        return future.result()
    except Exception as error:
        return error
