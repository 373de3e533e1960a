"""A request, checked as far as the client can, before a transport serialises it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypedDict, TypeVar

import numpy as np

from hiseg.client.errors import invalid
from hiseg.client.images import ImageLike, LoadedImage, load_image
from hiseg.core.decimals import parse_number

T = TypeVar("T")
Row = tuple[float, float, float, float]
"""A box."""


class Detections(Protocol):
    """What detectors found, as supervision's ``Detections`` and Ultralytics' ``Boxes`` have it."""

    @property
    def xyxy(self) -> Any:
        """The corners in pixels, ``[N, 4]``."""


Boxes: TypeAlias = Iterable[Iterable[float]] | Detections
"""One row of four numbers per person, an array or tensor ``[N, 4]``, or what a detector found."""


class FrameOptions(TypedDict, total=False):
    """Options of a request or frame, by the service's names; what is left out has the service's default."""

    variant: str
    """Variant of the model that answers: ``b0``, ``b1`` or ``b7``."""
    model: str
    """Name of the model that answers, as ``Client.info()["models"]`` lists it."""
    mode: str
    """``instance``: a mask per box; ``binary``: one mask of everybody, in the boxes or without them in the image."""
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
    find: bool
    """Whether people are found, beside those whose boxes are sent; without boxes they are unless this is false."""
    find_threshold: float
    """Score of the finder, 0..1, from which on somebody counts as found."""
    max_people: int
    """Most people that are found: the surest."""
    priority: str
    """``interactive``, or ``batch`` for work that may take its time."""


class Options(FrameOptions, total=False):
    """Options of a request, and its timeout."""

    timeout: float
    """Seconds for the answer, retries included; the service drops what it can't do by then."""


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
        boxes: the people; an empty list says that there are none, None that they are to be found.
        options: options by the service's names.

    Raises:
        TypeError: an option or a kind of image doesn't exist.
        InvalidRequest: a box doesn't have four numbers, or an array isn't an image's.
        OSError: the file can't be read.
    """
    checked = check_options(options)
    if boxes is None and checked.get("mode") != "binary":
        checked = {"find": True, **checked}
    if hasattr(boxes, "xyxy") and (checked.get("box_format", "xyxy") != "xyxy" or checked.get("normalized")):
        raise invalid(
            "what a detector found are corners in pixels; leave out box_format and normalized", field="box_format"
        )
    return SegmentRequest(load_image(image), to_rows(() if boxes is None else boxes), checked)


def check_options(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the options that aren't None, of the types that they have; the service says whether they are in range.

    Raises:
        TypeError: an option doesn't exist.
        InvalidRequest: one that is a number isn't given as one; nor one that is true or false, nor one that is a text.
    """
    if unknown := sorted(set(options) - set(KINDS)):
        raise TypeError(f"there is no option {unknown[0]!r}; there are {', '.join(sorted(KINDS))} and timeout")
    return {name: KINDS[name](name, value) for name, value in options.items() if value is not None}


def pop_timeout(options: dict[str, Any], default: T) -> float | T:
    """Take the timeout out of options: seconds, or the default where there is none.

    Raises:
        InvalidRequest: it is no number.
    """
    value = options.pop("timeout", None)
    return default if value is None else to_seconds("timeout", value)


def to_seconds(name: str, value: Any) -> float:
    """Read a number of seconds, of which at most a year's are used.

    Raises:
        InvalidRequest: it is no number.
    """
    return min(_number(name, value), MAX_SECONDS)


def _word(name: str, value: Any) -> str:
    """Read an option that is a text; a member of an enum of texts is the text that it has.

    Raises:
        InvalidRequest: it is no text, or empty, which gRPC couldn't tell from one that is left out.
    """
    if not isinstance(value, str):
        raise invalid(f"{name}: it should be a text", field=name, value=repr(value)[:80])
    if not value:
        raise invalid(f"{name}: it is empty", field=name, value=value)
    return str.__str__(value)


def _number(name: str, value: Any) -> float:
    try:
        number = to_number(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise invalid(f"{name}: it should be a number", field=name, value=repr(value)[:80]) from error
    if not math.isfinite(number):
        raise invalid(f"{name}: it should be a finite number", field=name, value=str(number))
    return number


def _whole_number(name: str, value: Any) -> int:
    found = _number(name, value)
    if not found.is_integer():
        raise invalid(f"{name}: it should be a whole number", field=name, value=repr(value)[:80])
    return int(found)


def _flag(name: str, value: Any) -> bool:
    word = str(value).lower()
    if word not in FLAGS:
        raise invalid(f"{name}: it should be true or false", field=name, value=repr(value)[:80])
    return FLAGS[word]


MAX_SECONDS = 365 * 86400.0
"""Longest time that is waited for anything; what is far longer is more than the clocks of some transports can add."""
KINDS: Mapping[str, Callable[[str, Any], Any]] = {
    "threshold": _number,
    "dilation_px": _whole_number,
    "find": _flag,
    "find_threshold": _number,
    "max_people": _whole_number,
    "normalized": _flag,
    "resolve_overlaps": _flag,
} | dict.fromkeys(("variant", "model", "mode", "smoothing", "box_format", "priority"), _word)
"""How each option is read; NumPy's numbers become Python's, which every transport can write."""
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
        InvalidRequest: they are no rows, or a box doesn't have four numbers.
    """
    found = _to_python(getattr(boxes, "xyxy", boxes))
    if isinstance(found, str | bytes | Mapping) or not isinstance(found, Iterable):
        kind = type(found).__name__
        raise invalid(f"boxes are a {kind}; rows of four numbers are taken", field="boxes", value=repr(found)[:80])
    rows = []
    for index, box in enumerate(found):
        name = f"boxes[{index}]"
        try:
            row = tuple(map(to_number, _to_python(box)))
        except (TypeError, ValueError, OverflowError) as error:
            raise invalid(f"{name} is not a row of numbers", field=name, value=repr(box)[:80]) from error
        if len(row) != 4:
            raise invalid(f"{name} has {len(row)} numbers; a box has 4", field=name, limit=4, value=len(row))
        rows.append(row)
    return tuple(rows)


def _to_python(value: Any) -> Any:
    """The numbers of an array or a tensor, whichever device it is on; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value
