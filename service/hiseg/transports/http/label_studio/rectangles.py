"""The rectangles on one image of a task: each is read on its own, so that a wrong one doesn't cost the others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from hiseg.api.numbers import as_number
from hiseg.api.validation import to_hiseg_error
from hiseg.core.box import Box
from hiseg.core.errors import HisegError, InvalidRequest, shorten
from hiseg.transports.http.label_studio.labelling import MAX_NAME_LENGTH

MAX_SIDE = 1_000_000
"""Largest width and height of an image, in pixels, that a region may name."""
MAX_LABELS = 100
"""Most labels of a rectangle, which honestly has one."""
Number = Annotated[float, Field(allow_inf_nan=False), BeforeValidator(as_number)]
Side = Annotated[int | None, Field(gt=0, le=MAX_SIDE)]
Names = Annotated[
    list[Annotated[str, Field(max_length=MAX_NAME_LENGTH)]],
    Field(fail_fast=True, max_length=MAX_LABELS),
    BeforeValidator(lambda names: [] if names is None else names),
]


class Rectangle(BaseModel):
    """The rectangle of a region, in per cent of the image's width and height.

    ``rotation`` is in degrees, clockwise about the top left corner.
    """

    x: Number
    y: Number
    width: Annotated[Number, Field(ge=0)]
    height: Annotated[Number, Field(ge=0)]
    rotation: Annotated[Number, BeforeValidator(lambda turn: 0 if turn is None else turn)] = 0
    rectanglelabels: Names = []


class Region(BaseModel):
    """One item of an annotation that is a rectangle.

    Attributes:
        id: Label Studio's name for it.
        from_name: name of the tag that it was drawn with.
        original_width: width, in pixels, of the image that it was drawn on; None: it isn't known.
        original_height: height.
        image_rotation: degrees by which annotators had turned the image on their screens. It changes no numbers.
        value: the rectangle.
    """

    id: Any = None
    from_name: str | None = None
    original_width: Side = None
    original_height: Side = None
    image_rotation: Any = 0
    value: dict[str, Any] = Field(default_factory=dict)


class _Labels(BaseModel):
    from_name: str | None = None
    labels: Names = []


@dataclass(frozen=True)
class Drawn:
    """A rectangle that was read.

    Attributes:
        name: what errors and notes call it.
        region: what is known of it.
        rectangle: its numbers.
        from_name: name of the tag that its labels are of; empty: it isn't known.
        labels: its labels.
    """

    name: str
    region: Region
    rectangle: Rectangle
    from_name: str
    labels: list[str]

    def box_in(self, width: int, height: int) -> Box:
        """The box of the rectangle in pixels of its image.

        Raises:
            InvalidRequest: it is empty, lies outside the image, or isn't a pixel wide or high.
        """
        sides = self.region.original_width or width, self.region.original_height or height
        region = self.region.model_copy(update={"original_width": sides[0], "original_height": sides[1]})
        x1, y1, x2, y2 = box_of(region, self.rectangle)
        box = Box(x1 * width, y1 * height, x2 * width, y2 * height)
        seen = box.clipped(width, height)
        if not all(map(math.isfinite, box.as_tuple())):
            raise self.error("is too large to be computed with")
        if box.is_empty:
            raise self.error("is empty: it must have a width and a height above 0")
        if seen.is_empty:
            raise self.error(f"lies outside the image, which has {width} x {height} pixels")
        if seen.x2 - seen.x1 < 1 or seen.y2 - seen.y1 < 1:
            raise self.error("is less than a pixel wide or high within the image")
        return box

    def error(self, what: str) -> InvalidRequest:
        """The error that something is wrong with the rectangle."""
        numbers = (self.rectangle.x, self.rectangle.y, self.rectangle.width, self.rectangle.height)
        name = f"{self.name}, the region {shorten(str(self.region.id))!r}," if self.region.id else self.name
        return InvalidRequest(f"{name} {what}", field=self.name, value=list(numbers))


@dataclass
class ImageRectangles:
    """The rectangles on an image, as they were sent.

    Attributes:
        image: name of the image's tag.
        item: number of the image, if the tag has several.
        regions: the rectangles.
        labels: regions that have the labels of rectangles, by their common ids.
    """

    image: str
    item: int = 0
    regions: list[dict[str, Any]] = field(default_factory=list)
    labels: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def read(self) -> tuple[list[Drawn], list[HisegError]]:
        """Read the rectangles.

        Returns:
            Those that can be read, and the errors of the others.
        """
        drawn: list[Drawn] = []
        errors: list[HisegError] = []
        for index, raw in enumerate(self.regions):
            name = f"boxes[{index}]"
            try:
                region = Region.model_validate(raw)
                rectangle = Rectangle.model_validate(region.value)
                from_name, names = region.from_name or "", rectangle.rectanglelabels
                if not names and (labelled := self.labels.get(str(region.id))):
                    value = labelled.get("value")
                    named = value.get("labels") if isinstance(value, dict) else None
                    found = _Labels.model_validate({"from_name": labelled.get("from_name"), "labels": named})
                    from_name, names = found.from_name or "", found.labels
            except ValidationError as error:
                errors.append(to_hiseg_error(error).with_prefix(name))
            else:
                drawn.append(Drawn(name, region, rectangle, from_name, names))
        return drawn, errors


def box_of(region: Region, rectangle: Rectangle) -> list[float]:
    """The box of a rectangle, around it if it is turned: ``x1 y1 x2 y2`` as shares of the image."""
    # Turned in pixels: a share of the width is not a share of the height.
    width, height = region.original_width or 1, region.original_height or 1
    w, h = width / 100, height / 100
    turn = math.radians(rectangle.rotation)
    right = (rectangle.width * w * math.cos(turn), rectangle.width * w * math.sin(turn))
    down = (-rectangle.height * h * math.sin(turn), rectangle.height * h * math.cos(turn))
    xs = [0.0, right[0], down[0], right[0] + down[0]]
    ys = [0.0, right[1], down[1], right[1] + down[1]]
    if rectangle.rotation == 0:  # exact
        xs, ys = [0.0, rectangle.width * w], [0.0, rectangle.height * h]
    x, y = rectangle.x / 100, rectangle.y / 100
    return [x + min(xs) / width, y + min(ys) / height, x + max(xs) / width, y + max(ys) / height]
