"""A request in the client's own words, before a transport writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

from hiseg.client.errors import InvalidRequest
from hiseg.client.images import ImageLike, Loaded, load

Row = tuple[float, float, float, float]
Boxes = Iterable[Sequence[float]]
"""One row of four numbers per person; an array ``[N, 4]`` is one too."""


class FrameOptions(TypedDict, total=False):
    """What is wanted, in the service's words; the service's defaults where left out."""

    variant: str
    """Which model answers: ``b0``, ``b1`` or ``b7``."""
    mode: str
    """``instance``: a mask per box; ``binary``: the foreground, everybody at once."""
    threshold: float
    """Probability above which a pixel belongs to the mask."""
    smoothing: str
    """Of the model's answer: ``none``, ``edge`` or ``bilateral``."""
    dilation_px: int
    """Image pixels by which masks grow on all sides, beyond their boxes too."""
    resolve_overlaps: bool
    """A pixel that several masks claim is left to the person of whom the model is surest."""
    box_format: str
    """What the four numbers mean: ``xyxy``, ``xywh`` or ``cxcywh``."""
    normalized: bool
    """They are shares 0..1 of the image's width and height instead of pixels."""
    priority: str
    """``interactive``, or ``batch`` for work that may take its time."""


class Options(FrameOptions, total=False):
    """The same, and how long the answer is worth waiting for."""

    timeout: float
    """Seconds, new tries included; the service is told, and drops what it can't do by then."""


NAMES = frozenset(FrameOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """An image, its boxes, and what is wanted."""

    image: Loaded
    rows: tuple[Row, ...]
    options: Mapping[str, Any]


def ask(image: ImageLike, boxes: Boxes, options: Mapping[str, Any]) -> SegmentRequest:
    """The question; reads the image's file if it is a path.

    Raises:
        TypeError: an option that there isn't, or an image of no known kind.
        InvalidRequest: a box without four numbers, or an array of no image's shape.
    """
    return SegmentRequest(load(image), rows(boxes), checked(options))


def checked(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options that were given; whether their values are right is the service's to say.

    Raises:
        TypeError: one that there isn't.
    """
    if unknown := sorted(set(options) - NAMES):
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(sorted(NAMES))} and timeout")
    return {name: value for name, value in options.items() if value is not None}


def rows(boxes: Boxes) -> tuple[Row, ...]:
    """The boxes as numbers.

    Raises:
        InvalidRequest: a box without four of them.
    """
    found = []
    for index, box in enumerate(boxes):
        name = f"boxes[{index}]"
        try:
            row = tuple(float(number) for number in box)
        except (TypeError, ValueError) as error:
            raise InvalidRequest(f"{name} is not a row of numbers", field=name, value=repr(box)[:80]) from error
        if len(row) != 4:
            raise InvalidRequest(f"{name} has {len(row)} numbers; a box has 4", field=name, limit=4, value=len(row))
        found.append(row)
    return tuple(found)
