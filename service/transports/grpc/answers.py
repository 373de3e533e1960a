"""A result -> the answer's message; runs in the thread that drew the masks."""

from __future__ import annotations

from dataclasses import asdict

from service.answer import MaskFormat, to_picture
from service.domain import Instance, Picture, Result
from service.masks.png import png_crop
from service.masks.rle import coco_rle
from service.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb


def to_message(picture: Picture, result: Result, form: MaskFormat) -> pb.SegmentResponse:
    """The answer, but for the timings, which aren't known before it is written."""
    message = pb.SegmentResponse(
        image=pb.ImageInfo(width=result.width, height=result.height, notes=result.notes),
        model=pb.Model(**asdict(result.model)),
        instances=[_instance(found, result, form) for found in result.instances],
    )
    if result.foreground:
        message.foreground.CopyFrom(_instance(result.foreground, result, form))
    if form.is_picture:
        message.picture = to_picture(picture, result, form)
    return message


def _instance(found: Instance, result: Result, form: MaskFormat) -> pb.Instance:
    x1, y1, x2, y2 = found.box.as_tuple()
    message = pb.Instance(box=pb.Box(x1=x1, y1=y1, x2=x2, y2=y2), score=found.score, area=found.area)
    if form is MaskFormat.COCO_RLE:
        message.coco_rle.CopyFrom(_rle(found, result))
    elif form is MaskFormat.PNG:
        message.png.CopyFrom(_png(found))
    return message


def _rle(found: Instance, result: Result) -> pb.CocoRle:
    counts = coco_rle(found.mask, result.width, result.height)["counts"]
    return pb.CocoRle(height=result.height, width=result.width, counts=counts)


def _png(found: Instance) -> pb.PngCrop:
    height, width = found.mask.pixels.shape
    return pb.PngCrop(left=found.mask.left, top=found.mask.top, width=width, height=height, data=png_crop(found.mask))
