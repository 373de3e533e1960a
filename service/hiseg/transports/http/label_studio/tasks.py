"""Label Studio's tasks and predictions: rectangles of a task become boxes, masks become brush regions."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from hiseg.api.boxes import check_count
from hiseg.api.json_reader import JsonLimits, LongText, resolve
from hiseg.core.result import Instance, Result
from hiseg.core.stop import Stop
from hiseg.masks.formats.brush_rle import brush_rle
from hiseg.transports.http.label_studio.labelling import Labelling

MAX_SIDE = 1_000_000
"""Largest width and height of an image, in pixels, that a region may name."""
MAX_TASKS = 1000
"""Most tasks of a request."""
MAX_SOURCES = 100
"""Most annotations, and most predictions, of a task."""
MAX_LABELS = 100
"""Most labels of a rectangle, which honestly has one."""
MAX_REGIONS = 1000
"""Most regions of an annotation or prediction, whatever their types."""
LIMITS = JsonLimits(max_bytes=1024 * 1024, max_texts=50_000, max_values=50_000)
"""Of a request without its images and the numbers of its brush masks: some thousand regions."""
RECTANGLES = ("rectanglelabels", "rectangle")


class Rectangle(BaseModel):
    """The rectangle of a region, in per cent of the image's width and height.

    ``rotation`` is in degrees, clockwise about the top left corner.
    """

    x: float = Field(allow_inf_nan=False)
    y: float = Field(allow_inf_nan=False)
    width: float = Field(ge=0, allow_inf_nan=False)
    height: float = Field(ge=0, allow_inf_nan=False)
    rotation: float = Field(0, allow_inf_nan=False)
    rectanglelabels: list[str] = Field(default_factory=list, fail_fast=True, max_length=MAX_LABELS)


class Region(BaseModel):
    """One item of an annotation: something that was drawn on an image, or chosen for it."""

    type: str = ""
    to_name: str = ""
    original_width: int = Field(1, gt=0, le=MAX_SIDE)
    original_height: int = Field(1, gt=0, le=MAX_SIDE)
    value: dict[str, Any] = Field(default_factory=dict)


class Regions(BaseModel):
    """An annotation, a prediction, or the context of an interactive request.

    Its regions become :class:`Region` when it is known that they are needed.
    """

    result: list[dict[str, Any]] = Field(default_factory=list, fail_fast=True, max_length=MAX_REGIONS)
    was_cancelled: bool | None = None


class Task(BaseModel):
    """An image with its annotations and predictions."""

    data: dict[str, Any]
    annotations: list[Regions] | None = Field(None, fail_fast=True, max_length=MAX_SOURCES)
    predictions: list[Regions] | None = Field(None, fail_fast=True, max_length=MAX_SOURCES)

    @field_validator("data")
    @classmethod
    def _resolve(cls, data: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        return {key: resolve(value, info) for key, value in data.items()}


class Params(BaseModel):
    """Parameters of a request, which hold for all of its tasks."""

    context: Regions | None = None


class PredictIn(BaseModel):
    """A request for predictions."""

    tasks: list[Task] = Field(fail_fast=True, max_length=MAX_TASKS)
    label_config: LongText
    params: Params | None = None


class SetupIn(BaseModel):
    """A project that the backend is connected to."""

    schema_: LongText = Field(alias="schema")


def rectangles_of(task: Task, params: Params | None, image: str, max_boxes: int) -> list[tuple[Region, Rectangle]]:
    """The rectangles of a task that get masks, with the regions that they belong to.

    Those just drawn, if the request is interactive; else those of the latest annotation that has any; else those of the
    latest prediction that has any.

    Args:
        task: the task with its annotations and predictions.
        params: parameters of the request.
        image: name of the image's tag in the labelling configuration.
        max_boxes: most rectangles that are taken.

    Raises:
        ValidationError: one isn't a rectangle.
        TooLarge: there are more than are taken.
    """
    if params and params.context and params.context.result:
        return _rectangles_in(params.context, image, max_boxes)
    annotations = [annotation for annotation in task.annotations or [] if not annotation.was_cancelled]
    for source in (*reversed(annotations), *reversed(task.predictions or [])):
        if found := _rectangles_in(source, image, max_boxes):
            return found
    return []


def _rectangles_in(source: Regions, image: str, max_boxes: int) -> list[tuple[Region, Rectangle]]:
    found = [
        region
        for region in source.result
        if region.get("type") in RECTANGLES and region.get("to_name", "") in ("", image)
    ]
    check_count(len(found), max_boxes)
    regions = [Region.model_validate(region) for region in found]
    return [(region, Rectangle.model_validate(region.value)) for region in regions]


def box_of(region: Region, rectangle: Rectangle) -> list[float]:
    """The box of a rectangle, around it if it is turned: ``x1 y1 x2 y2`` as shares of the image."""
    # Turned in pixels: a share of the width is not a share of the height.
    w, h = region.original_width / 100, region.original_height / 100
    turn = math.radians(rectangle.rotation)
    right = (rectangle.width * w * math.cos(turn), rectangle.width * w * math.sin(turn))
    down = (-rectangle.height * h * math.sin(turn), rectangle.height * h * math.cos(turn))
    xs = [0.0, right[0], down[0], right[0] + down[0]]
    ys = [0.0, right[1], down[1], right[1] + down[1]]
    if rectangle.rotation == 0:  # exact
        xs, ys = [0.0, rectangle.width * w], [0.0, rectangle.height * h]
    x, y = rectangle.x / 100, rectangle.y / 100
    return [
        x + min(xs) / region.original_width,
        y + min(ys) / region.original_height,
        x + max(xs) / region.original_width,
        y + max(ys) / region.original_height,
    ]


def write_prediction(result: Result, rectangles: Sequence[Rectangle], labelling: Labelling, stop: Stop) -> bytes:
    """The prediction of a task as JSON: a brush region for each rectangle with a person in it.

    Raises:
        Exception: what :meth:`Stop.check` raises, which is looked at before each region.
    """
    found = [
        (instance, rectangle) for instance, rectangle in zip(result.instances, rectangles, strict=True) if instance.area
    ]
    score = sum(instance.score for instance, _ in found) / len(found) if found else 0.0
    regions = []
    for instance, rectangle in found:
        stop.check()
        # One at a time: Python's numbers take more memory than their text, and json gives nobody else a turn.
        region = _region(instance, rectangle, result, labelling)
        regions.append(json.dumps(region, separators=(",", ":")).encode())
    head = {"model_version": f"{result.model.name} {result.model.version}", "score": score}
    return b'%b,"result":[%b]}' % (json.dumps(head, separators=(",", ":"))[:-1].encode(), b",".join(regions))


def _region(instance: Instance, rectangle: Rectangle, result: Result, labelling: Labelling) -> dict[str, Any]:
    value: dict[str, Any] = {"format": "rle", "rle": brush_rle(instance.mask, result.width, result.height)}
    if labelling.labels:
        known = (label for label in rectangle.rectanglelabels if label in labelling.known_labels)
        value[labelling.kind] = [next(known, labelling.labels[0])]
    return {
        "id": uuid.uuid4().hex[:10],
        "from_name": labelling.brush,
        "to_name": labelling.image,
        "type": labelling.kind,
        "original_width": result.width,
        "original_height": result.height,
        "image_rotation": 0,
        "score": instance.score,
        "value": value,
    }
