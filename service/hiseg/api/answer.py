"""A result as people receive it, whichever way they asked: JSON fields, or one picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum

from pydantic import BaseModel, Field

from hiseg.api import mask_fields
from hiseg.api.mask_fields import MaskContext, MaskOut
from hiseg.core.errors import TooLarge
from hiseg.core.image import ImageSource
from hiseg.core.result import CropMask, Instance, Result
from hiseg.masks.formats.cutout import MOST_PIXELS, cutouts
from hiseg.masks.formats.label_map import encode_png, label_map
from hiseg.masks.formats.overlay import overlay
from hiseg.masks.formats.polygon import DEFAULT_TOLERANCE_PX


class MaskFormat(StrEnum):
    """How masks are written."""

    COCO_RLE = "coco_rle"
    PNG = "png"
    LABEL_MAP = "label_map"
    OVERLAY = "overlay"
    COCO_RLE_UNCOMPRESSED = "coco_rle_uncompressed"
    POLYGON = "polygon"
    CUTOUT = "cutout"
    PACKED = "packed"

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


def to_json(
    picture: ImageSource, result: Result, form: MaskFormat, tolerance_px: float = DEFAULT_TOLERANCE_PX
) -> SegmentOut:
    """The answer as fields; ``form`` is none that is a picture. ``cutout`` decodes ``picture`` once more.

    Raises:
        TooLarge: cut-outs with more pixels than are written.
    """
    sheet = MaskContext(picture, result.width, result.height, tolerance_px)
    write = _WRITERS[form]
    if form is MaskFormat.CUTOUT:
        check_cutouts(found_masks(result))

    def instance(found: Instance) -> InstanceOut:
        box = found.box.as_tuple()
        return InstanceOut(box=box, score=found.score, area=found.area, mask=write(found.mask, sheet))

    return SegmentOut(
        image=ImageOut(width=result.width, height=result.height, notes=list(result.notes)),
        model=ModelOut(**asdict(result.model)),
        instances=[instance(found) for found in result.instances],
        foreground=instance(result.foreground) if result.foreground else None,
        timings_ms=result.timings_ms,
    )


def to_picture(picture: ImageSource, result: Result, form: MaskFormat) -> bytes:
    """The answer as a PNG: that of ``overlay`` or ``cutout``, which decode ``picture`` once more, or a label map."""
    if form is MaskFormat.OVERLAY:
        found = [result.foreground] if result.foreground else list(result.instances)
        return encode_png(overlay(picture.decode().pixels, found))
    if form is MaskFormat.CUTOUT:
        return encode_png(cutouts(picture.decode().pixels, found_masks(result)))
    return encode_png(label_map(found_masks(result), result.width, result.height))


def found_masks(result: Result) -> list[CropMask]:
    """One per instance; in binary mode that of the foreground."""
    return [result.foreground.mask] if result.foreground else [found.mask for found in result.instances]


def check_cutouts(masks: Sequence[CropMask]) -> None:
    """Raise :class:`TooLarge` if their cut-outs have more pixels than are written."""
    pixels = sum(mask.pixels.size for mask in masks)
    if pixels > MOST_PIXELS:
        raise TooLarge(
            f"the cut-outs have {pixels} pixels together; at most {MOST_PIXELS} are written",
            field="mask_format",
            limit=MOST_PIXELS,
            value=pixels,
        )


_WRITERS: dict[MaskFormat, Callable[[CropMask, MaskContext], MaskOut]] = {
    MaskFormat.COCO_RLE: mask_fields.rle,
    MaskFormat.COCO_RLE_UNCOMPRESSED: mask_fields.rle_uncompressed,
    MaskFormat.PNG: mask_fields.png,
    MaskFormat.POLYGON: mask_fields.polygon,
    MaskFormat.CUTOUT: mask_fields.cut,
    MaskFormat.PACKED: mask_fields.packed,
}
