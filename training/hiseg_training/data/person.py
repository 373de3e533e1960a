"""One annotated person: a box and, where there is one, an outline, checked against the image and each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from hiseg.core.box import Box
from hiseg.core.fields import MISSING, Unclear, number, show
from hiseg.core.image import BoolMask
from hiseg_training.data.segmentation import Rle, to_rle
from hiseg_training.data.skipped import Skipped

LEAST_SIDE = 2.0
"""Least side of a person's box in pixels; annotations with smaller boxes are skipped."""
SAME, OTHER = 0.9, 0.5
"""Least IoU of boxes that are the same, and largest one of boxes that aren't."""
EXACT, INEXACT = 0.98, 0.95
"""Least IoU of a box with the outline that it was made of, and largest one of a box that wasn't."""
BEYOND = 0.1
"""Share of the image's side by which boxes that are drawn by hand do not reach beyond it."""
FAR = f"part of a person that is over {BEYOND:.0%} beyond the image by bbox"
SMALL = f"box of under {LEAST_SIDE:g} pixels"
Values = tuple[float, float, float, float]


@dataclass(frozen=True)
class Person:
    """One annotated person.

    Attributes:
        box: in pixels, clipped to the image.
        area: of the mask in pixels, as annotated.
        rle: the mask as COCO run lengths; None where only the box is known.
    """

    box: Box
    area: float
    rle: Rle | None

    def mask(self) -> BoolMask:
        """Decode the mask: bool ``[H, W]`` of the image's size.

        Raises:
            ValueError: only the box is known.
        """
        if self.rle is None:
            raise ValueError(f"the person in {self.box} has a box, but no outline")
        return np.asarray(coco_mask.decode(self.rle), dtype=np.bool_)


class PersonReader:
    """Reads the people of one file.

    Args:
        skipped: where people are counted who are left out, or taken with their box alone.
    """

    def __init__(self, skipped: Skipped) -> None:
        self._skipped = skipped
        self._corners = True
        self._beyond = ""
        self._exact_corners, self._exact_sizes = "", False

    def read(self, row: dict[str, Any], width: int, height: int, name: str) -> Person | None:
        """Return an annotation as a person.

        Args:
            row: as it stands in the file.
            width: of the image, in pixels.
            height: of the image, in pixels.
            name: of the annotation, for messages.

        Returns:
            The person; None if its box is too small or outside the image, which is counted.

        Raises:
            Unclear: it can't be understood.
        """
        segmentation = row.get("segmentation")
        try:
            rle = to_rle(segmentation, height, width)
        except Unclear as error:
            raise Unclear(f"segmentation {error}") from None
        if rle is None and segmentation not in MISSING:
            self._skipped.add("outline that encloses no pixel of the image, of which the box alone is taken", name)
        x, y, w, h = self._box(row, rle, width, height, name)
        box = Box(x, y, x + w, y + h)
        inside = box.clipped(width, height)
        if inside.x2 - inside.x1 < LEAST_SIDE or inside.y2 - inside.y1 < LEAST_SIDE:
            small = w < LEAST_SIDE or h < LEAST_SIDE
            self._skipped.add(SMALL if small else "box outside its image", name)
            return None
        if min(x / width, y / height) < -BEYOND or max(box.x2 / width, box.y2 / height) > 1 + BEYOND:
            self._skipped.add(FAR, name)
        return Person(inside, _area(row, rle, w * h), rle)

    def check(self) -> None:
        """Check what shows only when all people of the file are seen.

        Raises:
            Unclear: the boxes are corners, and not a corner and a size.
        """
        if self._corners and self._beyond:
            raise Unclear(
                f"{self._beyond}: bbox reaches beyond the image, but all of the file fit as x1, y1, x2, y2; "
                "COCO has x, y, width, height"
            )
        if self._exact_corners and not self._exact_sizes:
            raise Unclear(
                f"{self._exact_corners}: bbox has the corners x1, y1, x2, y2 of its outline, and no bbox of the file "
                "is x, y, width, height of one, which COCO has"
            )

    def _box(self, row: dict[str, Any], rle: Rle | None, width: int, height: int, name: str) -> Values:
        """Return x, y, width and height of the box; from the outline where the annotation has none."""
        value = row.get("bbox")
        tight: Values | None = None if rle is None else tuple(coco_mask.toBbox(rle).tolist())
        if value in MISSING:
            if tight is None:
                raise Unclear("has neither bbox nor segmentation")
            return tight
        if not isinstance(value, list) or len(value) != 4:
            raise Unclear(f"bbox is {show(value)}, which is not [x, y, width, height]")
        try:
            x, y, w, h = map(number, value)
        except Unclear as error:
            raise Unclear(f"bbox has a value that {error}") from None
        if w < 0 or h < 0:
            raise Unclear(f"bbox is {show(value)}, of negative size")
        far = x + w > (1 + BEYOND) * width or y + h > (1 + BEYOND) * height
        if tight is not None:
            _compare((x, y, w, h), tight, value)
            # Corners of somebody near the image's corner pass for a position and a size.
            as_size, as_corner = _overlap((x, y, w, h), tight), _overlap((x, y, w - x, h - y), tight)
            self._exact_sizes = self._exact_sizes or as_corner < EXACT <= as_size
            if as_size < INEXACT and as_corner >= EXACT:
                self._exact_corners = self._exact_corners or name
        else:
            self._corners = self._corners and x < w <= width + 1 and y < h <= height + 1
            self._beyond = self._beyond or (name if far else "")
        return x, y, w, h


def _compare(box: Values, tight: Values, value: object) -> None:
    """Raise Unclear if a box has nothing to do with the outline, or only if it is read as two corners."""
    if (found := _overlap(box, tight)) >= OTHER:
        return
    x1, y1, x2, y2 = box
    if _overlap((x1, y1, x2 - x1, y2 - y1), tight) >= SAME:
        raise Unclear(f"bbox is {show(value)}, which are corners by its outline; COCO has x, y, width, height")
    if _overlap((x1 - x2 / 2, y1 - y2 / 2, x2, y2), tight) >= SAME:
        raise Unclear(f"bbox is {show(value)}, a centre and a size by its outline; COCO has x, y, width, height")
    if not found:
        around = [round(side, 1) for side in tight]
        raise Unclear(f"bbox is {show(value)}, but its outline lies in {around} (x, y, width, height)")


def _overlap(a: Values, b: Values) -> float:
    """Return the IoU of two boxes of x, y, width and height."""
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(across, 0.0) * max(down, 0.0)
    return common / (a[2] * a[3] + b[2] * b[3] - common) if common else 0.0


def _area(row: dict[str, Any], rle: Rle | None, of_box: float) -> float:
    """Return the area that the annotation states, or what is measured where that is none."""
    try:
        stated = number(row.get("area"))
    except Unclear:
        stated = 0.0
    if stated > 0:
        return stated
    return of_box if rle is None else float(coco_mask.area(rle))
