"""A result as people receive it, whichever way they asked: JSON fields, or one picture."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from service.domain import CropMask, Instance, Picture, Result
from service.masks.label_map import encode_png, label_map
from service.masks.overlay import overlay
from service.masks.png import png_crop
from service.masks.rle import coco_rle


class MaskFormat(StrEnum):
    """How masks are written."""

    COCO_RLE = "coco_rle"
    PNG = "png"
    LABEL_MAP = "label_map"
    OVERLAY = "overlay"

    @property
    def is_picture(self) -> bool:
        """The whole answer is one PNG, not JSON."""
        return self in (MaskFormat.LABEL_MAP, MaskFormat.OVERLAY)


class ImageOut(BaseModel):
    """The image as it was read, after EXIF rotation."""

    width: int
    height: int
    notes: list[str] = Field(description="what the decoder had to do: first frame taken, alpha laid on white, …")


class ModelOut(BaseModel):
    """Which model answered."""

    name: str
    version: str
    variant: str
    engine: str = Field(description="what ran it: `onnx`, `triton`, or `onnx-fallback` while no Triton answers")


class CocoRle(BaseModel):
    """The mask over the whole image, as pycocotools reads it."""

    format: Literal["coco_rle"] = "coco_rle"
    size: list[int] = Field(description="[height, width] of the image")
    counts: str


class PngCrop(BaseModel):
    """The mask's crop as a base64 1-bit PNG, and where it lies in the image."""

    format: Literal["png"] = "png"
    left: int
    top: int
    width: int
    height: int
    data: str = Field(description="base64; empty if the crop has no pixels")


MaskOut = Annotated[CocoRle | PngCrop, Field(discriminator="format")]


class InstanceOut(BaseModel):
    """One box and the person in it."""

    box: tuple[float, float, float, float] = Field(description="x1 y1 x2 y2 in image pixels, clipped to the image")
    score: float = Field(description="mean probability over the mask; 0 if it is empty")
    area: int = Field(description="pixels")
    mask: MaskOut


class SegmentOut(BaseModel):
    """The answer to a segmentation request."""

    image: ImageOut
    model: ModelOut
    instances: list[InstanceOut] = Field(description="one per box, in the order sent; empty in binary mode")
    foreground: InstanceOut | None = Field(None, description="everybody at once; binary mode only")
    timings_ms: dict[str, float] = Field(description="decode, queue, infer, masks, encode")


def rounded(timings_ms: Mapping[str, float]) -> dict[str, float]:
    """Timings to the microsecond."""
    return {stage: round(milliseconds, 3) for stage, milliseconds in timings_ms.items()}


def server_timing(timings_ms: Mapping[str, float]) -> str:
    """Timings as the Server-Timing header has them (W3C Server Timing)."""
    return ", ".join(f"{stage};dur={milliseconds}" for stage, milliseconds in timings_ms.items())


def to_json(result: Result, form: MaskFormat) -> SegmentOut:
    """The answer as fields; ``form`` is ``coco_rle`` or ``png``."""

    def instance(found: Instance) -> InstanceOut:
        box = found.box.as_tuple()
        return InstanceOut(box=box, score=found.score, area=found.area, mask=write(found.mask, result))

    write = _WRITERS[form]
    return SegmentOut(
        image=ImageOut(width=result.width, height=result.height, notes=list(result.notes)),
        model=ModelOut(**asdict(result.model)),
        instances=[instance(found) for found in result.instances],
        foreground=instance(result.foreground) if result.foreground else None,
        timings_ms=result.timings_ms,
    )


def to_picture(picture: Picture, result: Result, form: MaskFormat) -> bytes:
    """The answer as a PNG; ``form`` is ``label_map`` or ``overlay``, which decodes ``picture`` once more."""
    found = [result.foreground] if result.foreground else list(result.instances)
    if form is MaskFormat.OVERLAY:
        return encode_png(overlay(picture.decode().pixels, found))
    return encode_png(label_map([instance.mask for instance in found], result.width, result.height))


def _rle(mask: CropMask, result: Result) -> CocoRle:
    return CocoRle(**coco_rle(mask, result.width, result.height))


def _png(mask: CropMask, result: Result) -> PngCrop:
    height, width = mask.pixels.shape
    data = base64.b64encode(png_crop(mask)).decode("ascii")
    return PngCrop(left=mask.left, top=mask.top, width=width, height=height, data=data)


_WRITERS: dict[MaskFormat, Callable[[CropMask, Result], CocoRle | PngCrop]] = {
    MaskFormat.COCO_RLE: _rle,
    MaskFormat.PNG: _png,
}
