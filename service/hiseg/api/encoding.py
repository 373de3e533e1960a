"""How masks are written: the one place that knows which mask format is made by what.

A mask becomes plain fields here (:func:`encode_mask`), or all masks of an answer one PNG (:func:`to_png`). Transports
only copy the fields into their own messages. A new mask format is a module in :mod:`hiseg.masks.formats`, a member of
:class:`MaskFormat`, a line in the table at the end, and a message of its name on each transport.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from hiseg.core.errors import Reason, TooLarge
from hiseg.core.image import Image, ImageSource, Labels, Pixels
from hiseg.core.job import DEFAULT_TOLERANCE_PX
from hiseg.core.result import CropMask, Result
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.formats.cutout import MAX_CUTOUT_PIXELS, cutout, cutouts
from hiseg.masks.formats.label_map import label_map
from hiseg.masks.formats.picture import PictureType, encode_picture
from hiseg.masks.formats.png import encode_png, packed_bits, png_crop
from hiseg.masks.formats.polygon import Outline, outline
from hiseg.masks.formats.rle import Rle, UncompressedRle, coco_rle, coco_rle_uncompressed
from hiseg.masks.memory import WritingCost


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
    def is_image(self) -> bool:
        """Whether the format is one PNG for all masks of an answer, instead of fields for each mask."""
        return self in (MaskFormat.LABEL_MAP, MaskFormat.OVERLAY)


@dataclass(frozen=True)
class MaskContext:
    """What encoding a mask needs to know besides the mask.

    Attributes:
        image: the image that the masks lie on; it is decoded once more if the format shows its pixels.
        tolerance_px: how far, in pixels, the outline of ``polygon`` may be simplified.
        stop: looked at before each mask.
    """

    image: ImageSource
    tolerance_px: float = DEFAULT_TOLERANCE_PX
    stop: Stop = NEVER

    @cached_property
    def decoded(self) -> Image:
        """The image's pixels.

        Raises:
            UndecodableImage: the image is damaged, which reading it for the model would have found before.
            Exception: what :meth:`Stop.check` raises.
        """
        return self.image.decode(stop=self.stop)


@dataclass(frozen=True, slots=True)
class EncodedCrop:
    """The crop of one mask as a file, and where it lies in the image.

    Attributes:
        left: column of the crop's first pixel in the image.
        top: row of the crop's first pixel in the image.
        width: width of the crop in pixels.
        height: height of the crop in pixels.
        data: the file; empty if the crop has no pixels.
    """

    left: int
    top: int
    width: int
    height: int
    data: bytes

    @classmethod
    def of(cls, mask: CropMask, data: bytes) -> EncodedCrop:
        """The file ``data`` beside the place of the mask that it was made of."""
        height, width = mask.pixels.shape
        return cls(mask.left, mask.top, width, height, data)


EncodedMask = Rle | UncompressedRle | EncodedCrop | Outline


def writing_cost(mask_format: MaskFormat, as_png: bool = False) -> WritingCost:
    """What writing an answer in a format takes.

    Args:
        mask_format: the format.
        as_png: it is written as one PNG, by :func:`to_png`, also if the format has fields for each mask.
    """
    if as_png or mask_format.is_image:
        own = (MaskFormat.OVERLAY, MaskFormat.CUTOUT)
        return _PNG_COSTS[mask_format if mask_format in own else MaskFormat.LABEL_MAP]
    return _COSTS[mask_format]


def encode_mask(mask: CropMask, mask_format: MaskFormat, context: MaskContext) -> EncodedMask:
    """Write one mask in a format that has fields for each mask, which ``is_image`` formats have not.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    context.stop.check()
    return _ENCODERS[mask_format](mask, context)


def to_png(image: ImageSource, result: Result, mask_format: MaskFormat, stop: Stop = NEVER) -> bytes:
    """Write all masks of a result into one PNG; see :func:`to_picture`."""
    return to_picture(image, result, mask_format, PictureType.PNG, stop)


def to_picture(
    image: ImageSource, result: Result, mask_format: MaskFormat, kind: PictureType, stop: Stop = NEVER
) -> bytes:
    """Write all masks of a result into one picture as large as the image.

    Args:
        image: the image that the masks lie on; ``overlay`` and ``cutout`` decode it once more.
        result: the masks.
        mask_format: ``overlay``, ``cutout``, or anything else for a label map.
        kind: type of the file; only PNG keeps all labels of a label map.
        stop: looked at before each step.

    Raises:
        TooLarge: there are more people than a label map has labels, or the image is larger than the type can have.
        Exception: what :meth:`Stop.check` raises.
    """
    stop.check()
    drawn: Pixels | Labels
    if mask_format is MaskFormat.OVERLAY:
        from hiseg.masks.formats.overlay import overlay  # not at the top: who draws nothing needs no OpenCV

        instances = [result.foreground] if result.foreground else list(result.instances)
        pixels = image.decode(stop=stop).pixels
        is_own = not isinstance(image, Image) and pixels.flags.writeable
        drawn = overlay(pixels, instances, in_place=is_own, stop=stop)
    elif mask_format is MaskFormat.CUTOUT:
        drawn = cutouts(image.decode(stop=stop), result.masks)
    else:
        drawn = label_map(result.masks, result.width, result.height)
    return encode_picture(drawn, kind, stop)


def check_size(masks: Sequence[CropMask], mask_format: MaskFormat) -> None:
    """Refuse to write more than an answer may hold, before anything is written.

    Raises:
        TooLarge: the format is ``cutout``, and the cut-outs have more than :data:`MAX_CUTOUT_PIXELS` together.
    """
    pixels = sum(mask.pixels.size for mask in masks) if mask_format is MaskFormat.CUTOUT else 0
    if pixels > MAX_CUTOUT_PIXELS:
        raise TooLarge(
            f"the cut-outs have {pixels} pixels together; at most {MAX_CUTOUT_PIXELS} are written",
            reason=Reason.ANSWER_TOO_LARGE,
            field="mask_format",
            limit=MAX_CUTOUT_PIXELS,
            value=pixels,
        )


def _cutout(mask: CropMask, context: MaskContext) -> EncodedCrop:
    """An RGBA PNG of the person's own pixels; PNG has no empty image, so a crop without pixels gives no bytes."""
    return EncodedCrop.of(mask, encode_png(cutout(context.decoded, mask), context.stop) if mask.pixels.size else b"")


_ENCODERS: dict[MaskFormat, Callable[[CropMask, MaskContext], EncodedMask]] = {
    MaskFormat.COCO_RLE: lambda mask, context: coco_rle(mask, context.image.width, context.image.height),
    MaskFormat.COCO_RLE_UNCOMPRESSED: lambda mask, context: coco_rle_uncompressed(
        mask, context.image.width, context.image.height
    ),
    MaskFormat.POLYGON: lambda mask, context: outline(mask, context.tolerance_px),
    MaskFormat.PNG: lambda mask, _: EncodedCrop.of(mask, png_crop(mask)),
    MaskFormat.PACKED: lambda mask, _: EncodedCrop.of(mask, packed_bits(mask)),
    MaskFormat.CUTOUT: _cutout,
}
_COSTS = {
    MaskFormat.COCO_RLE: WritingCost(largest=2.2, sides=50, is_quick=True),
    MaskFormat.COCO_RLE_UNCOMPRESSED: WritingCost(largest=2.2, sides=400),
    MaskFormat.POLYGON: WritingCost(largest=8, sides=400),
    MaskFormat.PNG: WritingCost(largest=1.3, pixels=0.1, answer_pixels=0.05),
    MaskFormat.PACKED: WritingCost(pixels=0.75, answer_pixels=0.2),
    MaskFormat.CUTOUT: WritingCost(
        image=1, largest=4.7, pixels=3.5, max_pixels=MAX_CUTOUT_PIXELS, decodes=True, answer_pixels=0.5
    ),
}
_PNG_COSTS = {
    MaskFormat.LABEL_MAP: WritingCost(image=1.2, numbers=True),
    MaskFormat.OVERLAY: WritingCost(image=3, decodes=True, answer_image=1),
    MaskFormat.CUTOUT: WritingCost(image=5.5, decodes=True, answer_image=1),
}
