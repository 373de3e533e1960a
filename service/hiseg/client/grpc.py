"""What goes over gRPC: questions and frames as messages, messages as results and outcomes. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from hiseg.client.connection import StreamOptions
from hiseg.client.errors import ClientError, InternalError, InvalidRequest, UnexpectedAnswer
from hiseg.client.frames import Dropped, Failed, Frame, Outcome, Segmented
from hiseg.client.images import FIELD, Loaded, RawFrame, as_file, load
from hiseg.client.request import Row, SegmentRequest, rows
from hiseg.client.result import Instance, Result
from hiseg.core.result import ModelRef
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

SERVICE = pb.DESCRIPTOR.services_by_name["SegmentationService"].full_name
SEGMENT, STREAM, INFO = (f"/{SERVICE}/{method}" for method in ("Segment", "SegmentStream", "GetInfo"))
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""``HealthCheckResponse(status=SERVING)``, so that the health package isn't needed for one byte."""
ENUMS: dict[str, EnumTypeWrapper] = {
    "box_format": pb.BoxFormat,
    "mode": pb.Mode,
    "priority": pb.Priority,
    "smoothing": pb.Smoothing,
}
LARGEST_RAW = 16 * 1024 * 1024
"""Bytes of pixels that are sent as they are; larger images are packed, since services take no message of any size."""
INVALID_ARGUMENT = 3


def to_request(question: SegmentRequest, jpeg_quality: int | None) -> bytes:
    """A ``SegmentRequest``."""
    message = pb.SegmentRequest(boxes=_boxes(question.rows), **_options(question.options))
    _put_image(message, question.image, jpeg_quality)
    return message.SerializeToString()


def to_config(how: StreamOptions) -> pb.SegmentStreamRequest:
    """The first message of a stream."""
    config = pb.StreamConfig(
        policy=f"STREAM_POLICY_{how.policy.name}",
        options=pb.SegmentOptions(**_options(how.options)),
        reuse_boxes=how.reuse_boxes,
        frame_deadline_ms=0 if how.timeout is None else max(1, round(how.timeout * 1000)),
    )
    return pb.SegmentStreamRequest(config=config)


def to_frame_message(sequence: int, frame: Frame, jpeg_quality: int | None) -> pb.SegmentStreamRequest:
    """Every further one; reads the image's file if it is a path."""
    message = pb.SegmentStreamRequest()
    message.frame.sequence = sequence
    message.frame.timestamp_us = frame.timestamp_us
    message.frame.forget_boxes = frame.forget_boxes
    message.frame.boxes.extend(_boxes(rows(frame.boxes)))
    _put_image(message.frame, load(frame.image), jpeg_quality)
    return message


def to_result(message: pb.SegmentResponse) -> Result:
    """The result in an answer."""
    image, model = message.image, message.model
    return Result(
        width=image.width,
        height=image.height,
        notes=tuple(image.notes),
        model=ModelRef(model.name, model.version, model.variant, model.engine),
        instances=tuple(map(_instance, message.instances)),
        foreground=_instance(message.foreground) if message.HasField("foreground") else None,
        timings_ms=dict(message.timings_ms),
    )


def to_outcome(message: pb.SegmentStreamResponse) -> Outcome:
    """What became of a frame.

    Raises:
        UnexpectedAnswer: the message doesn't say.
    """
    sequence, timestamp_us = message.sequence, message.timestamp_us
    match message.WhichOneof("outcome"):
        case "result":
            return Segmented(sequence, timestamp_us, to_result(message.result))
        case "dropped":
            dropped = message.dropped
            reason = _ours(pb.DropReason, dropped.reason, "DROP_REASON_")
            return Dropped(sequence, timestamp_us, reason, dropped.message, dropped.retry_after_s or None)
        case "error":
            return Failed(sequence, timestamp_us, _error(message.error))
    raise UnexpectedAnswer(f"frame {sequence} has an outcome that this client doesn't know")


def to_info(message: pb.GetInfoResponse) -> dict[str, Any]:
    """``GetInfo`` in the words of ``/v1/info``, where it has the same."""
    return {
        "version": message.version,
        "variants": sorted(model.variant for model in message.models),
        "default_variant": message.default_variant,
        "image_types": list(message.image_types),
        "pixel_formats": [_ours(pb.PixelFormat, number, "PIXEL_FORMAT_") for number in message.pixel_formats],
        "policies": [_ours(pb.StreamPolicy, number, "STREAM_POLICY_") for number in message.policies],
        "modes": [_ours(pb.Mode, number, "MODE_") for number in message.modes],
        "mask_formats": [_ours(pb.MaskFormat, number, "MASK_FORMAT_") for number in message.mask_formats],
        "smoothings": [_ours(pb.Smoothing, number, "SMOOTHING_") for number in message.smoothings],
        "limits": {field.name: getattr(message.limits, field.name) for field in pb.Limits.DESCRIPTOR.fields},
    }


def _boxes(given: tuple[Row, ...]) -> list[pb.Box]:
    return [pb.Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in given]


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _theirs(ENUMS[name], name, str(value)) if name in ENUMS else value for name, value in options.items()}


def _theirs(enum: EnumTypeWrapper, name: str, value: str) -> str:
    prefix = f"{name.upper()}_"
    known = [key.removeprefix(prefix).lower() for key, number in enum.items() if number]
    if value not in known:
        raise InvalidRequest(f"{name}: {value!r} is none of {', '.join(known)}", field=name, limit=known, value=value)
    return prefix + value.upper()


def _ours(enum: EnumTypeWrapper, number: int, prefix: str) -> str:
    known = {number: name for name, number in enum.items()}
    return known.get(number, str(number)).removeprefix(prefix).lower()


def _put_image(message: Any, image: Loaded, jpeg_quality: int | None) -> None:
    if isinstance(image, RawFrame):
        message.raw_frame.CopyFrom(
            pb.RawFrame(
                format=_theirs(pb.PixelFormat, "pixel_format", image.format),
                width=image.width,
                height=image.height,
                stride=image.stride,
                chroma_stride=image.chroma_stride,
                data=image.data,
            )
        )
    elif isinstance(image, bytes) or jpeg_quality is not None or image.nbytes > LARGEST_RAW:
        message.encoded_image = as_file(image, jpeg_quality)
    else:
        height, width, _ = image.shape
        raw = pb.RawFrame(format=pb.PIXEL_FORMAT_RGB24, width=width, height=height, data=image.tobytes())
        message.raw_frame.CopyFrom(raw)


def _instance(found: pb.Instance) -> Instance:
    box, rle = found.box, found.coco_rle
    corners = (box.x1, box.y1, box.x2, box.y2)
    return Instance(corners, found.score, found.area, rle.counts, (rle.height, rle.width))


def _error(error: pb.FrameError) -> ClientError:
    if error.code == INVALID_ARGUMENT:
        return InvalidRequest(error.message, code="INVALID_ARGUMENT", field=error.field or FIELD)
    return InternalError(error.message, code="INTERNAL")
