"""Writes a result as the answer's message; it runs in the thread that drew the masks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from hiseg.api.encoding import (
    EncodedCrop,
    EncodedMask,
    MaskContext,
    MaskFormat,
    check_size,
    encode_mask,
    to_png,
    writing_cost,
)
from hiseg.api.exchange import RequestContext
from hiseg.api.options import Boxes, Options
from hiseg.core.image import ImageSource
from hiseg.core.job import DEFAULT_TOLERANCE_PX
from hiseg.core.result import ForegroundSource, Instance, Result
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.formats.polygon import Outline
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

SOURCES = {
    ForegroundSource.INSTANCES: pb.FOREGROUND_SOURCE_INSTANCES,
    ForegroundSource.IMAGE: pb.FOREGROUND_SOURCE_IMAGE,
}
T = TypeVar("T")


async def segment(
    context: RequestContext,
    image: bytes | ImageSource,
    boxes: Boxes,
    options: Options,
    notes: tuple[str, ...] = (),
    latest: bool = False,
) -> tuple[Result, pb.SegmentResponse]:
    """Segment an image, and write the result as a message; see :meth:`RequestContext.segment`."""
    result, message = await _segment(context, image, boxes, options, lambda message: message, notes, latest)
    message.timings_ms.update(result.timings_ms)
    return result, message


async def segment_to_bytes(
    context: RequestContext, image: bytes | ImageSource, boxes: Boxes, options: Options, notes: tuple[str, ...] = ()
) -> tuple[dict[str, float], bytes]:
    """Segment an image, and write the result as the bytes of a message; returns the timings too, but not the masks."""
    result, data = await _segment(context, image, boxes, options, pb.SegmentResponse.SerializeToString, notes)
    # Messages one after the other are one message with the fields of both.
    return result.timings_ms, data + pb.SegmentResponse(timings_ms=result.timings_ms).SerializeToString()


async def _segment(
    context: RequestContext,
    image: bytes | ImageSource,
    boxes: Boxes,
    options: Options,
    pack: Callable[[pb.SegmentResponse], T],
    notes: tuple[str, ...],
    latest: bool = False,
) -> tuple[Result, T]:
    def write(source: ImageSource, result: Result, stop: Stop) -> T:
        return pack(to_message(source, result, options.mask_format, options.tolerance_px, stop))

    cost = writing_cost(options.mask_format)
    return await context.segment(image, boxes, options, write, latest=latest, cost=cost, notes=notes)


def to_message(
    image: ImageSource,
    result: Result,
    mask_format: MaskFormat,
    tolerance_px: float = DEFAULT_TOLERANCE_PX,
    stop: Stop = NEVER,
) -> pb.SegmentResponse:
    """Write a result as the answer, without the timings, which are not known before it is written.

    Args:
        image: the image that the masks lie on; ``overlay`` and ``cutout`` decode it once more.
        result: the result.
        mask_format: how masks are written.
        tolerance_px: how far, in pixels, the outline of ``polygon`` may be simplified.
        stop: looked at before each mask.

    Raises:
        Exception: what :meth:`Stop.check` raises.
        TooLarge: the cut-outs have more pixels than an answer may hold, or there are more people than a label map has
            labels.
    """
    check_size(result.masks, mask_format)
    context = MaskContext(image, tolerance_px, stop)
    message = pb.SegmentResponse(
        image=pb.ImageInfo(width=result.width, height=result.height, notes=result.notes),
        model=pb.Model(**asdict(result.model)),
        instances=[_instance(instance, mask_format, context) for instance in result.instances],
    )
    if result.foreground:
        message.foreground.CopyFrom(_instance(result.foreground, mask_format, context))
    if result.finder:
        message.finder.CopyFrom(pb.Model(**asdict(result.finder)))
    if result.foreground_source:
        message.foreground_source = SOURCES[result.foreground_source]
    if mask_format.is_image:
        message.picture = to_png(image, result, mask_format, stop)
    return message


def _instance(instance: Instance, mask_format: MaskFormat, context: MaskContext) -> pb.Instance:
    """Write one instance; the field of its mask has the name of the format, and is left out for a whole image."""
    x1, y1, x2, y2 = instance.box.as_tuple()
    mask: dict[str, Any] = {}
    if not mask_format.is_image:
        mask[mask_format.value] = _message_fields(encode_mask(instance.mask, mask_format, context))
    found = pb.Found(score=instance.found.score) if instance.found else None
    box = pb.Box(x1=x1, y1=y1, x2=x2, y2=y2)
    return pb.Instance(box=box, score=instance.score, area=instance.area, found=found, **mask)


def _message_fields(encoded: EncodedMask) -> Mapping[str, Any]:
    """The fields of an encoded mask as the messages have them."""
    if isinstance(encoded, EncodedCrop):
        return asdict(encoded)
    if isinstance(encoded, Outline):
        polygons = [
            {"outer": {"xy": polygon.outer.ravel()}, "holes": [{"xy": hole.ravel()} for hole in polygon.holes]}
            for polygon in encoded.polygons
        ]
        return {"polygons": polygons, "iou": encoded.iou}
    height, width = encoded["size"]
    return {"height": height, "width": width, "counts": encoded["counts"]}
