"""The JSON answer: its fields, as OpenAPI documents them, and how a result fills them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from hiseg.api.encoding import EncodedCrop, EncodedMask, MaskContext, MaskFormat, check_size, encode_mask
from hiseg.core.image import ImageSource
from hiseg.core.job import DEFAULT_TOLERANCE_PX
from hiseg.core.result import ForegroundSource, Instance, Result
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.formats.polygon import Outline


class CocoRle(BaseModel):
    """The mask over the whole image, as pycocotools reads it."""

    format: Literal["coco_rle"] = "coco_rle"
    size: list[int] = Field(description="[height, width] of the image")
    counts: str


class CocoRleUncompressed(BaseModel):
    """The same with plain numbers."""

    format: Literal["coco_rle_uncompressed"] = "coco_rle_uncompressed"
    size: list[int] = Field(description="[height, width] of the image")
    counts: list[int] = Field(description="runs of background and person in turns, down the columns")


class _Crop(BaseModel):
    """The crop of a mask as a file in base64, and where it lies in the image."""

    format: str
    left: int
    top: int
    width: int
    height: int
    data: str = Field(description="base64; empty if the crop has no pixels")


class PngCrop(_Crop):
    """The mask's crop as a base64 1-bit PNG, and where it lies in the image."""

    format: Literal["png"] = "png"


class PackedCrop(_Crop):
    """The mask's crop as bits: `np.unpackbits(rows, axis=1, count=width)` of `height` rows of bytes."""

    format: Literal["packed"] = "packed"
    data: str = Field(description="base64 of rows of (width + 7) // 8 bytes, the first pixel in the highest bit")


class Cutout(_Crop):
    """The person's pixels as a base64 RGBA PNG, transparent around them, and where it lies in the image."""

    format: Literal["cutout"] = "cutout"


class PolygonOut(BaseModel):
    """One part of the mask; rings are `[x1, y1, x2, y2, …]` along the edges of pixels."""

    outer: list[int]
    holes: list[list[int]]


class PolygonMask(BaseModel):
    """The mask's outline; COCO's `segmentation` is the list of the outer rings, where there are no holes."""

    format: Literal["polygon"] = "polygon"
    polygons: list[PolygonOut]
    iou: float = Field(description="of the polygons with the mask: what `tolerance_px` costs; 1 if that is 0")


MaskOut = Annotated[
    CocoRle | PngCrop | CocoRleUncompressed | PolygonMask | Cutout | PackedCrop, Field(discriminator="format")
]


class ImageOut(BaseModel):
    """The image as it was read, after EXIF rotation."""

    width: int
    height: int
    notes: list[str] = Field(
        description="what was done to the image (first frame taken, alpha laid on white, …), and boxes outside of it"
    )


class ModelOut(BaseModel):
    """Which model answered."""

    name: str
    version: str
    variant: str
    engine: str = Field(description="what ran it: `onnx`, `triton`, or `onnx-fallback` while no Triton answers")
    precision: str = Field(description="of its weights: `fp32`, `fp16` or `int8`; empty if that isn't known")


class FoundOut(BaseModel):
    """That a person's box wasn't sent, but found."""

    score: float = Field(description="how sure the finder is that somebody is there, 0..1")


class InstanceOut(BaseModel):
    """One box and the person in it."""

    box: tuple[float, float, float, float] = Field(description="x1 y1 x2 y2 in image pixels, clipped to the image")
    score: float = Field(description="mean probability over the mask; 0 if it is empty")
    area: int = Field(description="pixels")
    mask: MaskOut
    found: FoundOut | None = Field(None, description="left out where the box was sent")


class SegmentOut(BaseModel):
    """The answer to a segmentation request."""

    image: ImageOut
    model: ModelOut
    instances: list[InstanceOut] = Field(
        description="one per box, in the order sent, then one per person found, the surest first; empty in binary mode"
    )
    foreground: InstanceOut | None = Field(
        None,
        description="everybody at once, binary mode only; the box is the image, and the score of a union the mean of "
        "its masks' scores, weighted by their areas",
    )
    foreground_source: ForegroundSource | None = Field(
        None,
        description="binary mode only: `instances`, the union of the boxes' masks; or `image`, the foreground of the "
        "image, without boxes",
    )
    finder: ModelOut | None = Field(None, description="the model that looked for people; left out where none did")
    timings_ms: dict[str, float] = Field(description="decode, queue, find, infer, masks, encode")


def round_timings(timings_ms: Mapping[str, float]) -> dict[str, float]:
    """Round milliseconds to the microsecond."""
    return {stage: round(milliseconds, 3) for stage, milliseconds in timings_ms.items()}


def server_timing(timings_ms: Mapping[str, float]) -> str:
    """Write timings as the value of a Server-Timing header (W3C Server Timing)."""
    return ", ".join(f"{stage};dur={milliseconds}" for stage, milliseconds in timings_ms.items())


def to_json(
    image: ImageSource,
    result: Result,
    mask_format: MaskFormat,
    tolerance_px: float = DEFAULT_TOLERANCE_PX,
    stop: Stop = NEVER,
) -> SegmentOut:
    """Write a result as the JSON answer.

    Args:
        image: the image that the masks lie on; ``cutout`` decodes it once more.
        result: the result.
        mask_format: a format with fields for each mask: none for which ``is_image`` is true.
        tolerance_px: how far, in pixels, the outline of ``polygon`` may be simplified.
        stop: looked at before each mask.

    Raises:
        TooLarge: the cut-outs have more pixels than an answer may hold.
        Exception: what :meth:`Stop.check` raises.
    """
    check_size(result.masks, mask_format)
    context = MaskContext(image, tolerance_px, stop)
    return SegmentOut(
        image=ImageOut(width=result.width, height=result.height, notes=list(result.notes)),
        model=ModelOut(**asdict(result.model)),
        instances=[instance_to_json(instance, mask_format, context) for instance in result.instances],
        foreground=instance_to_json(result.foreground, mask_format, context) if result.foreground else None,
        foreground_source=result.foreground_source,
        finder=ModelOut(**asdict(result.finder)) if result.finder else None,
        timings_ms=result.timings_ms,
    )


def to_json_text(answer: SegmentOut) -> bytes:
    """Write an answer as JSON, without its timings, which are known only when it is written; it may take long."""
    # What ``model_dump_json`` calls, without its copy as text.
    return answer.__pydantic_serializer__.to_json(answer, exclude={"timings_ms"}, exclude_none=True)


def add_timings(text: bytes, timings_ms: Mapping[str, float]) -> bytes:
    """Add the timings to the JSON that :func:`to_json_text` wrote."""
    return b"".join((memoryview(text)[:-1], b',"timings_ms":', json.dumps(timings_ms).encode(), b"}"))


def instance_to_json(instance: Instance, mask_format: MaskFormat, context: MaskContext) -> InstanceOut:
    """Write one instance as it stands in the JSON answer; see :func:`to_json`."""
    mask = _json_fields(encode_mask(instance.mask, mask_format, context))
    return InstanceOut.model_validate(
        {
            "box": instance.box.as_tuple(),
            "score": instance.score,
            "area": instance.area,
            "mask": {"format": mask_format.value, **mask},
            "found": asdict(instance.found) if instance.found else None,
        }
    )


def _json_fields(encoded: EncodedMask) -> Mapping[str, Any]:
    """The fields of an encoded mask as JSON has them: bytes in base64, rings as flat lists."""
    if isinstance(encoded, EncodedCrop):
        return {**asdict(encoded), "data": base64.b64encode(encoded.data).decode("ascii")}
    if isinstance(encoded, Outline):
        polygons = [
            {"outer": polygon.outer.ravel().tolist(), "holes": [hole.ravel().tolist() for hole in polygon.holes]}
            for polygon in encoded.polygons
        ]
        return {"polygons": polygons, "iou": encoded.iou}
    return encoded
