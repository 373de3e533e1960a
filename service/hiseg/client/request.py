"""A request, checked as far as the client can, before a transport serialises it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypedDict

import numpy as np

from hiseg.client.errors import InvalidRequest
from hiseg.client.images import ImageLike, LoadedImage, load_image
from hiseg.core.decimals import parse_number

Row = tuple[float, float, float, float]
"""A box."""


class Detections(Protocol):
    """What detectors found, as supervision's ``Detections`` and Ultralytics' ``Boxes`` have it."""

    @property
    def xyxy(self) -> Any:
        """The corners in pixels, ``[N, 4]``."""


Boxes: TypeAlias = Iterable[Sequence[float]] | Detections
"""One row of four numbers per person, an array or tensor ``[N, 4]``, or what a detector found."""


class FrameOptions(TypedDict, total=False):
    """Options of a request or frame, by the service's names; what is left out has the service's default."""

    variant: str
    """Variant of the model that answers: ``b0``, ``b1`` or ``b7``."""
    model: str
    """Name of the model that answers, as ``Client.info()["models"]`` lists it."""
    mode: str
    """``instance``: a mask per box; ``binary``: the foreground, everybody at once."""
    threshold: float
    """Probability above which a pixel belongs to the mask."""
    smoothing: str
    """Smoothing of the model's answer: ``none``, ``edge`` or ``bilateral``."""
    dilation_px: int
    """Image pixels by which masks grow on all sides, beyond their boxes too."""
    resolve_overlaps: bool
    """Whether a pixel that several masks claim is given to the most probable person alone."""
    box_format: str
    """What the four numbers mean: ``xyxy``, ``xywh`` or ``cxcywh``."""
    normalized: bool
    """Whether boxes are shares 0..1 of the image's width and height instead of pixels."""
    priority: str
    """``interactive``, or ``batch`` for work that may take its time."""


class Options(FrameOptions, total=False):
    """Options of a request, and its timeout."""

    timeout: float
    """Seconds for the answer, retries included; the service drops what it can't do by then."""


NAMES = frozenset(FrameOptions.__annotations__)


@dataclass(frozen=True, slots=True)
class SegmentRequest:
    """An image, its boxes, and options.

    Attributes:
        image: what is to be sent.
        rows: one box per person.
        options: options by the service's names.
    """

    image: LoadedImage
    rows: tuple[Row, ...]
    options: Mapping[str, Any]


def make_request(image: ImageLike, boxes: Boxes | None, options: Mapping[str, Any]) -> SegmentRequest:
    """Make a request; this reads the image's file if it is a path.

    Args:
        image: what is to be sent.
        boxes: the people; an empty list says that there are none, None is for ``mode="binary"`` alone.
        options: options by the service's names.

    Raises:
        TypeError: an option or a kind of image doesn't exist.
        InvalidRequest: boxes are missing, a box doesn't have four numbers, or an array isn't an image's.
        OSError: the file can't be read.
    """
    checked = check_options(options)
    if boxes is None and checked.get("mode") != "binary":
        raise InvalidRequest("boxes are missing; mode='binary' needs none", field="boxes")
    if hasattr(boxes, "xyxy") and (checked.get("box_format", "xyxy") != "xyxy" or checked.get("normalized")):
        raise InvalidRequest(
            "what a detector found are corners in pixels; leave out box_format and normalized", field="box_format"
        )
    return SegmentRequest(load_image(image), to_rows(() if boxes is None else boxes), checked)


def check_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options that aren't None, of the types that they have; the service says whether they are in range.

    Raises:
        TypeError: an option doesn't exist.
        InvalidRequest: one that is a number isn't given as one, or one that is true or false isn't.
    """
    if unknown := sorted(set(options) - NAMES):
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(sorted(NAMES))} and timeout")
    return {name: KINDS.get(name, _as_it_is)(name, value) for name, value in options.items() if value is not None}


def _as_it_is(_: str, value: Any) -> Any:
    return value


def _number(name: str, value: Any) -> float:
    try:
        return to_number(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidRequest(f"{name}: it should be a number", field=name, value=repr(value)[:80]) from error


def _whole_number(name: str, value: Any) -> int:
    found = _number(name, value)
    if not found.is_integer():
        raise InvalidRequest(f"{name}: it should be a whole number", field=name, value=repr(value)[:80])
    return int(found)


def _flag(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in FLAGS:
        raise InvalidRequest(f"{name}: it should be true or false", field=name, value=repr(value)[:80])
    return FLAGS[word]


KINDS: Mapping[str, Callable[[str, Any], Any]] = {
    "threshold": _number,
    "dilation_px": _whole_number,
    "normalized": _flag,
    "resolve_overlaps": _flag,
}
"""Options that aren't words; NumPy's numbers become Python's, which every transport can write."""
FLAGS = {"true": True, "1": True, "false": False, "0": False}


def to_number(value: Any) -> float:
    """Read a number, or a text that is one.

    Raises:
        TypeError: it is none; nor are true and false.
        ValueError: the text is none.
        OverflowError: it is too large.
    """
    if isinstance(value, bool | np.bool_):
        raise TypeError("it should be a number")
    return parse_number(value) if isinstance(value, str) else float(value)


def to_rows(boxes: Boxes) -> tuple[Row, ...]:
    """Convert boxes to rows of four floats.

    Raises:
        InvalidRequest: a box doesn't have four numbers.
    """
    if isinstance(boxes, str | bytes | Mapping):
        raise InvalidRequest(
            f"boxes are a {type(boxes).__name__}; rows of four numbers are taken", field="boxes", value=repr(boxes)[:80]
        )
    rows = []
    found: Any = getattr(boxes, "xyxy", boxes)
    for index, box in enumerate(found):
        name = f"boxes[{index}]"
        try:
            row = tuple(map(to_number, box))
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidRequest(f"{name} is not a row of numbers", field=name, value=repr(box)[:80]) from error
        if len(row) != 4:
            raise InvalidRequest(f"{name} has {len(row)} numbers; a box has 4", field=name, limit=4, value=len(row))
        rows.append(row)
    return tuple(rows)
