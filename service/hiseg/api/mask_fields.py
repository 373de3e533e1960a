"""One mask in the fields of the JSON answer, a class and a function for each format."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field

from hiseg.core.image import ImageSource, Pixels
from hiseg.core.result import CropMask
from hiseg.masks.formats.cutout import cutout
from hiseg.masks.formats.label_map import encode_png
from hiseg.masks.formats.packed import packed_bits
from hiseg.masks.formats.png import png_crop
from hiseg.masks.formats.polygon import DEFAULT_TOLERANCE_PX, Ring, outline
from hiseg.masks.formats.rle import coco_rle, coco_rle_uncompressed


@dataclass(frozen=True)
class MaskContext:
    """What masks lie on, and how they are written.

    Attributes:
        picture: the image; decoded once more if a format shows it.
        width: of the image, pixels.
        height: of the image, pixels.
        tolerance_px: of polygons.
    """

    picture: ImageSource
    width: int
    height: int
    tolerance_px: float = DEFAULT_TOLERANCE_PX

    @cached_property
    def pixels(self) -> Pixels:
        """RGB uint8 ``[H, W, 3]``."""
        return self.picture.decode().pixels


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
    """Something about the mask's crop, in base64, and where it lies in the image."""

    format: str
    left: int
    top: int
    width: int
    height: int
    data: str = Field(description="base64; empty if the crop has no pixels")

    @classmethod
    def of(cls, mask: CropMask, data: bytes) -> Self:
        height, width = mask.pixels.shape
        text = base64.b64encode(data).decode("ascii")
        return cls(left=mask.left, top=mask.top, width=width, height=height, data=text)  # type: ignore[call-arg]


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


def rle(mask: CropMask, sheet: MaskContext) -> CocoRle:
    return CocoRle(**coco_rle(mask, sheet.width, sheet.height))


def rle_uncompressed(mask: CropMask, sheet: MaskContext) -> CocoRleUncompressed:
    return CocoRleUncompressed(**coco_rle_uncompressed(mask, sheet.width, sheet.height))


def png(mask: CropMask, _: MaskContext) -> PngCrop:
    return PngCrop.of(mask, png_crop(mask))


def packed(mask: CropMask, _: MaskContext) -> PackedCrop:
    return PackedCrop.of(mask, packed_bits(mask))


def cut(mask: CropMask, sheet: MaskContext) -> Cutout:
    return Cutout.of(mask, cutout_png(mask, sheet))


def polygon(mask: CropMask, sheet: MaskContext) -> PolygonMask:
    found = outline(mask, sheet.tolerance_px)
    polygons = [
        PolygonOut(outer=flat(part.outer), holes=[flat(hole) for hole in part.holes]) for part in found.polygons
    ]
    return PolygonMask(polygons=polygons, iou=found.iou)


def cutout_png(mask: CropMask, sheet: MaskContext) -> bytes:
    """The person's pixels; no bytes for a mask without a crop."""
    return encode_png(cutout(sheet.pixels, mask)) if mask.pixels.size else b""


def flat(ring: Ring) -> list[int]:
    """``[x1, y1, x2, y2, …]``."""
    return list(map(int, ring.ravel()))
