"""A result -> the answer's message; runs in the thread that drew the masks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from hiseg.api.answer import MaskFormat, check_cutouts, found_masks, to_picture
from hiseg.api.mask_fields import MaskContext, cutout_png, flat
from hiseg.core.image import ImageSource
from hiseg.core.result import CropMask, Instance, Result
from hiseg.masks.formats.packed import packed_bits
from hiseg.masks.formats.png import png_crop
from hiseg.masks.formats.polygon import DEFAULT_TOLERANCE_PX, outline
from hiseg.masks.formats.rle import coco_rle, run_lengths
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb


def to_message(
    picture: ImageSource, result: Result, form: MaskFormat, tolerance_px: float = DEFAULT_TOLERANCE_PX
) -> pb.SegmentResponse:
    """The answer, but for the timings, which aren't known before it is written.

    Raises:
        TooLarge: cut-outs with more pixels than are written.
    """
    sheet = MaskContext(picture, result.width, result.height, tolerance_px)
    if form is MaskFormat.CUTOUT:
        check_cutouts(found_masks(result))
    message = pb.SegmentResponse(
        image=pb.ImageInfo(width=result.width, height=result.height, notes=result.notes),
        model=pb.Model(**asdict(result.model)),
        instances=[_instance(found, sheet, form) for found in result.instances],
    )
    if result.foreground:
        message.foreground.CopyFrom(_instance(result.foreground, sheet, form))
    if form.is_picture:
        message.picture = to_picture(picture, result, form)
    return message


def _instance(found: Instance, sheet: MaskContext, form: MaskFormat) -> pb.Instance:
    x1, y1, x2, y2 = found.box.as_tuple()
    message = pb.Instance(box=pb.Box(x1=x1, y1=y1, x2=x2, y2=y2), score=found.score, area=found.area)
    if not form.is_picture:
        _WRITERS[form](message, found.mask, sheet)
    return message


def _rle(message: pb.Instance, mask: CropMask, sheet: MaskContext) -> None:
    counts = coco_rle(mask, sheet.width, sheet.height)["counts"]
    message.coco_rle.CopyFrom(pb.CocoRle(height=sheet.height, width=sheet.width, counts=counts))


def _rle_uncompressed(message: pb.Instance, mask: CropMask, sheet: MaskContext) -> None:
    counts = run_lengths(mask, sheet.width, sheet.height)
    message.coco_rle_uncompressed.CopyFrom(
        pb.CocoRleUncompressed(height=sheet.height, width=sheet.width, counts=counts)
    )


def _polygon(message: pb.Instance, mask: CropMask, sheet: MaskContext) -> None:
    found = outline(mask, sheet.tolerance_px)
    parts = [
        pb.Polygon(outer=pb.Ring(xy=flat(part.outer)), holes=[pb.Ring(xy=flat(hole)) for hole in part.holes])
        for part in found.polygons
    ]
    message.polygon.CopyFrom(pb.PolygonMask(polygons=parts, iou=found.iou))


def _png(message: pb.Instance, mask: CropMask, _: MaskContext) -> None:
    height, width = mask.pixels.shape
    message.png.CopyFrom(pb.PngCrop(left=mask.left, top=mask.top, width=width, height=height, data=png_crop(mask)))


def _packed(message: pb.Instance, mask: CropMask, _: MaskContext) -> None:
    height, width = mask.pixels.shape
    message.packed.CopyFrom(
        pb.PackedCrop(left=mask.left, top=mask.top, width=width, height=height, data=packed_bits(mask))
    )


def _cutout(message: pb.Instance, mask: CropMask, sheet: MaskContext) -> None:
    height, width = mask.pixels.shape
    message.cutout.CopyFrom(
        pb.Cutout(left=mask.left, top=mask.top, width=width, height=height, data=cutout_png(mask, sheet))
    )


_WRITERS: dict[MaskFormat, Callable[[pb.Instance, CropMask, MaskContext], None]] = {
    MaskFormat.COCO_RLE: _rle,
    MaskFormat.COCO_RLE_UNCOMPRESSED: _rle_uncompressed,
    MaskFormat.POLYGON: _polygon,
    MaskFormat.PNG: _png,
    MaskFormat.PACKED: _packed,
    MaskFormat.CUTOUT: _cutout,
}
