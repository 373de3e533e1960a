"""The options of a request, the same on every transport, and the job that they make of an image."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hiseg.api.boxes import BoxFormat, check_count, to_boxes
from hiseg.api.encoding import MaskFormat
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest, TooLarge
from hiseg.core.image import ImageSource
from hiseg.core.job import Job, Mode, PostProcessing, Priority, Smoothing
from hiseg.masks.formats.polygon import DEFAULT_TOLERANCE_PX, MOST_TOLERANCE_PX
from hiseg.segmenter import Segmenter

LONGEST_DEADLINE_S = 600
MOST_DILATION_PX = 100
MAX_ROWS = 10_000
"""Boxes that are read at all; how many are taken is a setting."""
MOST_COMMAS = 15 * MAX_ROWS
"""Of JSON, three times what so many boxes have; each value that is wrong takes a kilobyte on its way into an error."""
M = TypeVar("M", bound=BaseModel)


class Options(BaseModel):
    """What every form of a segmentation request can say."""

    model_config = ConfigDict(extra="forbid")

    variant: str | None = Field(None, description="`b0`, `b1` or `b7`; the service's default if left out")
    mode: Mode = Field(Mode.INSTANCE, description="a mask per box, or the foreground: everybody at once")
    box_format: BoxFormat = Field(BoxFormat.XYXY, description="what the four numbers of a box mean")
    normalized: bool = Field(False, description="boxes are shares 0..1 of the image's width and height")
    mask_format: MaskFormat = Field(
        MaskFormat.COCO_RLE,
        description="`label_map` and `overlay` answer with a PNG, and so does `cutout` with `Accept: image/png`",
    )
    tolerance_px: float = Field(
        DEFAULT_TOLERANCE_PX,
        ge=0,
        le=MOST_TOLERANCE_PX,
        allow_inf_nan=False,
        description="of `polygon`: how far corners that are left out may lie from the line; 0 leaves out none",
    )
    threshold: float = Field(
        0.5, gt=0, lt=1, allow_inf_nan=False, description="probability above which a pixel belongs to the mask"
    )
    smoothing: Smoothing = Field(
        Smoothing.NONE,
        description="of the probabilities: `edge` evens out ragged outlines, `bilateral` noise beside sharp outlines",
    )
    dilation_px: int = Field(
        0,
        ge=0,
        le=MOST_DILATION_PX,
        description="image pixels by which masks grow on all sides, beyond their boxes too, but not beyond the image",
    )
    resolve_overlaps: bool = Field(
        False, description="a pixel that several masks claim is left to the person of whom the model is surest"
    )
    deadline_ms: int | None = Field(
        None, gt=0, le=LONGEST_DEADLINE_S * 1000, description="the answer is worthless after this time"
    )
    priority: Priority = Field(Priority.INTERACTIVE, description="`batch` gets a tenth of the share of `interactive`")

    @property
    def finish(self) -> PostProcessing:
        """How masks are made."""
        return PostProcessing(self.smoothing, self.threshold, self.dilation_px, self.resolve_overlaps)

    def job(
        self,
        picture: ImageSource,
        boxes: tuple[Box, ...],
        *,
        model: str,
        client: str,
        deadline: float,
        traceparent: str,
        latest: bool = False,
    ) -> Job:
        """The job that these options make of a picture and its boxes; see :class:`Job` for the rest."""
        return Job(
            picture,
            boxes,
            model,
            self.mode,
            self.finish,
            client,
            self.priority,
            deadline,
            latest=latest,
            traceparent=traceparent,
        )


def read_json(model: type[M], text: bytes, most_commas: int = MOST_COMMAS) -> M:
    """What the JSON of a request says.

    Raises:
        TooLarge: it has more values than are read.
        InvalidRequest: malformed, or not what is asked for.
    """
    commas = text.count(b",")
    if commas > most_commas:
        raise TooLarge(
            f"the JSON has {commas} commas; at most {most_commas} are read",
            field="body",
            limit=most_commas,
            value=commas,
        )
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise invalid(error) from error


def read_values(model: type[M], values: Mapping[str, object]) -> M:
    """What a request says that isn't JSON.

    Raises:
        InvalidRequest: not what is asked for.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from error


def invalid(error: ValidationError) -> InvalidRequest | TooLarge:
    """The first thing pydantic found, in our words."""
    first: Any = error.errors(include_url=False)[0]
    field = "request"
    for part in first["loc"]:
        field = f"{field}[{part}]" if isinstance(part, int) else str(part)
    value = first.get("input")
    if first["type"] == "too_long":
        return TooLarge(f"{field}: more than {MAX_ROWS} rows", field=field, limit=MAX_ROWS)
    # JSON has no word for NaN and infinity.
    number = isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))
    shown = value if number else str(value)[:80]
    bounds = {"ge", "gt", "le", "lt"} & set(first.get("ctx", {}))
    limit = first["ctx"][bounds.pop()] if bounds else None
    return InvalidRequest(f"{field}: {first['msg']}", field=field, limit=limit, value=shown)


def to_job(
    segmenter: Segmenter,
    data: bytes,
    rows: Sequence[Sequence[float]],
    options: Options,
    *,
    model: str,
    client: str,
    deadline: float,
    max_boxes: int,
    traceparent: str = "",
) -> Job:
    """The job that is asked for.

    Args:
        segmenter: what will run it.
        data: the encoded image.
        rows: boxes in the caller's form.
        options: how to read them, and what to do.
        model: name of the model.
        client: who asks.
        deadline: on :func:`time.monotonic`'s clock.
        max_boxes: most boxes that are taken.
        traceparent: the caller's place in a trace.

    Raises:
        TooLarge: more boxes, bytes or pixels than are taken.
        UnsupportedImage: not an image type that is taken.
        UndecodableImage: with a damaged header.
        InvalidRequest: a bad box.
    """
    check_count(len(rows), max_boxes)
    picture = segmenter.inspect(data)
    boxes = to_boxes(rows, picture.width, picture.height, options.box_format, options.normalized)
    return options.job(picture, boxes, model=model, client=client, deadline=deadline, traceparent=traceparent)
