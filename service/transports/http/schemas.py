"""The options of a request: the same names in the query, in multipart and in JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from service.answer import MaskFormat
from service.boxes import BoxFormat
from service.domain import Mode
from service.errors import InvalidRequest


class Options(BaseModel):
    """What every form of a segmentation request can say."""

    model_config = ConfigDict(extra="forbid")

    variant: str | None = Field(None, description="`b0`, `b1` or `b7`; the service's default if left out")
    mode: Mode = Field(Mode.INSTANCE, description="a mask per box, or the foreground: everybody at once")
    box_format: BoxFormat = Field(BoxFormat.XYXY, description="what the four numbers of a box mean")
    normalized: bool = Field(False, description="boxes are shares 0..1 of the image's width and height")
    mask_format: MaskFormat = Field(MaskFormat.COCO_RLE, description="`label_map` and `overlay` answer with a PNG")
    threshold: float = Field(0.5, gt=0, lt=1, description="probability above which a pixel belongs to the mask")
    deadline_ms: int | None = Field(None, gt=0, le=600_000, description="the answer is worthless after this time")


class QueryOptions(Options):
    """Options in the query of a request whose body is the image."""

    boxes: str = Field("", description="`x1,y1,x2,y2;x1,y1,x2,y2;…`", examples=["171,49,414,512"])


class JsonOptions(Options):
    """Options as JSON: the `request` part of a multipart body."""

    boxes: list[list[float]] = Field(default_factory=list, description="one row of four numbers per person")


class JsonRequest(JsonOptions):
    """A request that is all JSON. A third more bytes than the other forms, and slower to read."""

    image: str = Field(description="the image, base64")


def invalid(error: ValidationError) -> InvalidRequest:
    """The first thing pydantic found, in our words."""
    first: Any = error.errors(include_url=False, include_context=False)[0]
    field = "request"
    for part in first["loc"]:
        field = f"{field}[{part}]" if isinstance(part, int) else str(part)
    value = first.get("input")
    shown = value if isinstance(value, int | float | bool) else str(value)[:80]
    return InvalidRequest(f"{field}: {first['msg']}", field=field, value=shown)
