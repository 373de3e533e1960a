"""Boxes that have no pixel of their image in them are told of, or refused where all are so: then the units are wrong.

Pixels sent as shares of the image, shares sent as pixels, or a width and a height in place of a corner would otherwise
be answered with empty masks. Boxes of a video leave the frame now and then, so there they are only told of.
"""

from __future__ import annotations

from collections.abc import Sequence

from hiseg.api.boxes import BoxFormat
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest

FARTHEST_SHARE = 10
"""Farthest from the image, in shares of its sides, that a normalized box may reach."""
LARGEST_SHARE = 1.5
"""Boxes without a larger number are shares of the image, which loose boxes reach a little beyond."""
FEW_PIXELS = 4
"""Images of at most so many pixels a side may have such boxes."""
NAMED = 5
"""Most boxes that a note names."""
NOBODY = "there are no boxes, so nobody was looked for"
"""The note of a request that says that there are no boxes."""


def notes_on_boxes(boxes: Sequence[Box], width: int, height: int) -> tuple[str, ...]:
    """Say which boxes have no pixel of an image in them, in sentences for the answer's notes."""
    return tuple(_sentences(*_invisible(boxes, width, height)))


def check_units(
    rows: Sequence[Sequence[float]],
    boxes: Sequence[Box],
    width: int,
    height: int,
    box_format: BoxFormat = BoxFormat.XYXY,
    normalized: bool = False,
) -> None:
    """Refuse boxes whose numbers are in other units than they are taken in, where that shows.

    Args:
        rows: the numbers as they were sent.
        boxes: what became of them, in pixels.
        width: width of the image in pixels.
        height: height of the image in pixels.
        box_format: what the numbers were taken for.
        normalized: they were taken for shares of the image's width and height.

    Raises:
        InvalidRequest: no box has a pixel of the image in it, or a normalized one is farther away than anybody means.
    """
    if normalized:
        for index, (row, box) in enumerate(zip(rows, boxes, strict=True)):
            if max(-box.x1 / width, -box.y1 / height, box.x2 / width, box.y2 / height) > FARTHEST_SHARE:
                raise InvalidRequest(
                    f"boxes[{index}] is normalized, so its numbers are shares of the image's width and height, 0 to 1; "
                    "leave out normalized for pixels",
                    field=f"boxes[{index}]",
                    limit=[0, 1],
                    value=list(row),
                )
    outside, small = _invisible(boxes, width, height)
    if not boxes:
        return
    shares = not normalized and all(abs(number) <= LARGEST_SHARE for row in rows for number in row)
    if shares and min(width, height) > FEW_PIXELS:
        told = [f"{_names(range(len(boxes)))} {'has' if len(boxes) == 1 else 'have'} no number above {LARGEST_SHARE}"]
    elif len(outside) + len(small) < len(boxes):
        return
    else:
        told = _sentences(outside, small)
    if normalized:
        hint = f"shares of its width and height, as {box_format}; leave out normalized for pixels"
    elif shares:
        hint = "pixels; for shares of its width and height, 0 to 1, say normalized=true"
    else:
        hint = f"pixels, as {box_format}; see box_format and normalized"
    raise InvalidRequest(
        f"{' and '.join(told)}; the image has {width} x {height} pixels, and the numbers are taken as {hint}",
        field="boxes[0]" if len(boxes) == 1 else "boxes",
        limit=[width, height],
        value=list(rows[0]),
    )


def _invisible(boxes: Sequence[Box], width: int, height: int) -> tuple[list[int], list[int]]:
    """The numbers of the boxes outside an image, and of those that have less than a pixel in it.

    A box of exactly the first pixel is among them unless that is all there is: it is the whole image, normalized.
    """
    outside, small = [], []
    for index, box in enumerate(boxes):
        x1, y1 = max(box.x1, 0.0), max(box.y1, 0.0)
        across, down = min(box.x2, width) - x1, min(box.y2, height) - y1
        if across <= 0 or down <= 0:
            outside.append(index)
        elif across * down < 1 or (box.x2 <= 1 >= box.y2 and width * height > 1):
            small.append(index)
    return outside, small


def _sentences(outside: Sequence[int], small: Sequence[int]) -> list[str]:
    sentences = []
    if outside:
        sentences.append(f"{_names(outside)} {'lies' if len(outside) == 1 else 'lie'} outside the image")
    if small:
        sentences.append(f"{_names(small)} {'has' if len(small) == 1 else 'have'} less than a pixel in the image")
    return sentences


def _names(indices: Sequence[int]) -> str:
    names = [f"boxes[{index}]" for index in indices[:NAMED]]
    if len(indices) > NAMED:
        names.append(f"{len(indices) - NAMED} more")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
