"""Boxes as callers send them are parsed, checked and converted to image pixels here, and nowhere else.

Errors name the box at fault: ``boxes[2]``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from enum import StrEnum

from hiseg.core.box import Box
from hiseg.core.decimals import parse_number
from hiseg.core.errors import InvalidRequest, Reason, TooLarge

BLANKS = " \t\r\n"
NOTHING = ""
ROW = "[x1, y1, x2, y2]"
"""What a row looks like, for errors."""


class BoxFormat(StrEnum):
    """What the four numbers of a box mean."""

    XYXY = "xyxy"
    XYWH = "xywh"
    CXCYWH = "cxcywh"


def parse_boxes(text: str, max_boxes: int | None = None) -> list[list[float]]:
    """Parse ``x1,y1,x2,y2;x1,y1,x2,y2;…``, or the same as JSON, into rows of numbers; an empty text is no boxes.

    Lines may separate boxes too, and blanks the numbers of one. In JSON one row may stand alone.

    Args:
        text: the boxes.
        max_boxes: most boxes that are taken; None: any number.

    Raises:
        InvalidRequest: something in it is not a number, or a box is left out between others.
        TooLarge: more boxes than are taken.
    """
    text = text.strip(BLANKS)
    if text.startswith("["):
        return _parse_json(text, max_boxes)
    if not text:
        return []
    parts = []
    for part in text.removesuffix(";").split(";"):
        parts += [line for line in part.split("\n") if line.strip(BLANKS)] or [NOTHING]
    if max_boxes is not None:
        check_count(len(parts), max_boxes)
    rows = []
    for index, part in enumerate(parts):
        if part == NOTHING:
            name = f"boxes[{index}]"
            raise InvalidRequest(f"{name} is left out: there is nothing between two semicolons", field=name, value="")
        numbers = part.split(",") if "," in part else part.split()
        try:
            rows.append([parse_number(number) for number in numbers])
        except ValueError as error:
            raise _no_row(f"boxes[{index}]", part, numbers) from error
    return rows


def _no_row(name: str, part: str, numbers: Sequence[str]) -> InvalidRequest:
    """The error of a text that isn't a row of decimal numbers."""
    try:
        row = [*map(float, numbers)]
    except ValueError:
        row = []
    if not all(map(math.isfinite, row)):
        return InvalidRequest(f"{name} has a number that is not finite", field=name, value=row)
    told = f"{name} is not numbers separated by commas, and boxes are separated by semicolons"
    return InvalidRequest(told, field=name, value=part)


def _parse_json(text: str, max_boxes: int | None) -> list[list[float]]:
    try:
        found = json.loads(text, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("boxes begin like JSON and are none", field="boxes", value=text) from error
    rows = [found] if found and not any(isinstance(row, list | dict) for row in found) else found
    if max_boxes is not None:
        check_count(len(rows), max_boxes)
    for index, row in enumerate(rows):
        if not isinstance(row, list) or any(type(number) is not float for number in row):
            name = f"boxes[{index}]"
            raise InvalidRequest(f"{name} is not a row of numbers, {ROW}", field=name, value=row)
    return rows


def check_count(count: int, limit: int) -> None:
    """Raise :class:`TooLarge` if there are more boxes than ``limit``."""
    if count > limit:
        text = f"{count} boxes were sent; at most {limit} are taken"
        raise TooLarge(text, reason=Reason.TOO_MANY_BOXES, field="boxes", limit=limit, value=count)


def to_boxes(
    rows: Sequence[Sequence[float]],
    width: int,
    height: int,
    box_format: BoxFormat = BoxFormat.XYXY,
    normalized: bool = False,
) -> tuple[Box, ...]:
    """Convert rows of four numbers to boxes in pixels of an image; they may reach beyond the image.

    Args:
        rows: one row of four numbers for each person.
        width: width of the image in pixels.
        height: height of the image in pixels.
        box_format: what the numbers mean.
        normalized: they are shares of the image's width and height, 0..1, instead of pixels.

    Raises:
        InvalidRequest: not four finite numbers, or a box without area, or with its corners reversed.
    """
    scale = (width, height, width, height) if normalized else (1, 1, 1, 1)
    boxes = []
    for index, row in enumerate(rows):
        name = f"boxes[{index}]"
        if len(row) != 4:
            raise InvalidRequest(f"{name} has {_count(row)}", field=name, limit=4, value=len(row))
        if not all(math.isfinite(number) for number in row):
            raise InvalidRequest(f"{name} has a number that is not finite", field=name, value=list(row))
        a, b, c, d = (number * factor for number, factor in zip(row, scale, strict=True))
        match box_format:
            case BoxFormat.XYXY:
                box = Box(a, b, c, d)
            case BoxFormat.XYWH:
                box = Box(a, b, a + c, b + d)
            case BoxFormat.CXCYWH:
                box = Box(a - c / 2, b - d / 2, a + c / 2, b + d / 2)
        if not all(math.isfinite(number) for number in box.as_tuple()):
            raise InvalidRequest(f"{name} is too large to be computed with", field=name, value=list(row))
        if box.is_empty:
            raise InvalidRequest(f"{name} {_reversed(row, box_format)}", field=name, value=list(row))
        boxes.append(box)
    return tuple(boxes)


def _count(row: Sequence[float]) -> str:
    """Say how many numbers a row has that is no box, and what the caller may have meant."""
    hint = ", without score and class" if 4 < len(row) < 8 else ""
    hint = "; boxes are separated by semicolons, or are rows of their own" if len(row) >= 8 else hint
    return f"{len(row)} number{'s' * (len(row) != 1)}; a box has 4{hint}"


def _reversed(row: Sequence[float], box_format: BoxFormat) -> str:
    """Say what is wrong with a box without area, and what the caller may have meant."""
    if box_format is not BoxFormat.XYXY:
        return f"is empty: in {box_format} the last two numbers are its width and height, above 0"
    hint = "; for a width and a height say box_format=xywh or cxcywh" if row[2] > 0 and row[3] > 0 else ""
    return f"is empty or reversed: it must have x1 < x2 and y1 < y2{hint}"
