"""Counts the lines of our own code that reading an image takes: a bound of it that no clock has a say in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from hiseg.core.errors import HisegError
from hiseg.images.encoded import EncodedImage, inspect
from hiseg.images.limits import MAX_FRAMES, MAX_PARTS, ImageLimits

MAX_STEPS = 25 * (MAX_PARTS + MAX_FRAMES)
"""Lines that the header of any file may take: about 20 for each of its parts."""
T = TypeVar("T")


def count_steps(function: Callable[[], T]) -> tuple[T, int]:
    """Call a function, and return its result and the number of lines of Python that ran in ``hiseg.images``."""
    steps = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        if event == "call" and "hiseg/images/" not in frame.f_code.co_filename:
            return None
        steps += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return function(), steps
    finally:
        sys.settrace(before)


def inspect_in_bounds(data: bytes, limits: ImageLimits) -> EncodedImage | HisegError:
    """Inspect a file, whatever it is, and check that it took no more steps than it may."""

    def outcome() -> EncodedImage | HisegError:
        try:
            return inspect(data, limits)
        except HisegError as error:
            return error

    result, steps = count_steps(outcome)
    assert steps <= MAX_STEPS
    return result
