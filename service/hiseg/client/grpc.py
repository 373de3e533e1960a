"""What both gRPC transports share: requests and frames as messages, messages as results, statuses as errors. No I/O."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import grpc
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from hiseg.client import errors
from hiseg.client.errors import KIND_OF_REASON, ClientError, InternalError, InvalidRequest, UnexpectedAnswer, invalid
from hiseg.client.frames import Dropped, Failed, Frame, Outcome, Segmented
from hiseg.client.images import LoadedImage, RawFrame, load_image, to_file
from hiseg.client.pillow_images import IMAGE_FIELD
from hiseg.client.request import Row, SegmentRequest, to_rows
from hiseg.client.result import Instance, Result
from hiseg.client.transport import SECURE, Address, StreamOptions
from hiseg.core.result import Found, ModelRef
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
MAX_RAW_BYTES = 16 * 1024 * 1024
"""Most bytes of pixels that are sent as they are; larger images are compressed, since messages have a limit."""
DOMAIN = "hiseg"
"""Of the reasons in ``ErrorInfo`` that are the service's."""
INVALID_ARGUMENT = 3
"""gRPC's number of the code."""
RETRY_AFTER = "retry-after"
STATUS_DETAILS = "grpc-status-details-bin"
OPTIONS = (
    # Masks of a hundred people may be larger than the 4 MiB that gRPC takes by default.
    ("grpc.max_receive_message_length", -1),
    # Calls take turns among all addresses that a name has: those of a service's replicas.
    ("grpc.lb_policy_name", "round_robin"),
    # Reconnect soon to a service that comes back. (`min_reconnect_backoff_ms` has no part in that, whatever its name:
    # it is how long a connection may take to be made.)
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # A stream whose other end has vanished without a word ends within a minute and a half.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
ERRORS: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.Overloaded,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.UNAUTHENTICATED: errors.Unauthorized,
    grpc.StatusCode.PERMISSION_DENIED: errors.Unauthorized,
    grpc.StatusCode.INTERNAL: errors.InternalError,
    # The service says neither. A proxy on the way that loses it, or is restarted itself, ends streams so.
    grpc.StatusCode.CANCELLED: errors.ConnectionLost,
    grpc.StatusCode.UNKNOWN: errors.ConnectionLost,
}
ERRORS_OF_GRPC: dict[grpc.StatusCode, type[ClientError]] = {
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.TooLarge,
    grpc.StatusCode.UNAVAILABLE: errors.ConnectionFailed,
}
"""What these codes mean without a reason and ``retry-after``: they come from gRPC, not from the service."""


def to_request(request: SegmentRequest, jpeg_quality: int | None) -> bytes:
    """Serialise a ``SegmentRequest``."""
    message = pb.SegmentRequest(boxes=_boxes(request.rows), **_options(request.options))
    if not request.rows and request.options.get("mode") != "binary" and "find" not in request.options:
        message.find = False  # boxes that are left out and an empty list are the same in a message
    _put_image(message, request.image, jpeg_quality)
    return message.SerializeToString()


def to_config(options: StreamOptions) -> pb.SegmentStreamRequest:
    """Make the first message of a stream."""
    config = pb.StreamConfig(
        policy=f"STREAM_POLICY_{options.policy.name}",
        options=pb.SegmentOptions(**_options(options.options)),
        reuse_boxes=options.reuse_boxes,
        frame_deadline_ms=0 if options.timeout is None else max(1, round(options.timeout * 1000)),
    )
    return pb.SegmentStreamRequest(config=config)


def to_frame_message(sequence: int, frame: Frame, jpeg_quality: int | None) -> pb.SegmentStreamRequest:
    """Make the message of a frame; this reads the image's file if it is a path."""
    message = pb.SegmentStreamRequest()
    message.frame.sequence = sequence
    message.frame.timestamp_us = frame.timestamp_us
    message.frame.forget_boxes = frame.forget_boxes
    message.frame.boxes.extend(_boxes(to_rows(frame.boxes)))
    _put_image(message.frame, load_image(frame.image), jpeg_quality)
    return message


def to_result(message: pb.SegmentResponse) -> Result:
    """Make the result of an answer."""
    image, model, source = message.image, message.model, message.foreground_source
    return Result(
        width=image.width,
        height=image.height,
        notes=tuple(image.notes),
        model=_model(model),
        instances=tuple(map(_instance, message.instances)),
        foreground=_instance(message.foreground) if message.HasField("foreground") else None,
        timings_ms=dict(message.timings_ms),
        foreground_source=_enum_word(pb.ForegroundSource, source, "FOREGROUND_SOURCE_") if source else None,
        finder=_model(message.finder) if message.HasField("finder") else None,
    )


def _model(model: pb.Model) -> ModelRef:
    return ModelRef(model.name, model.version, model.variant, model.engine, model.precision)


def to_outcome(message: pb.SegmentStreamResponse) -> Outcome:
    """Tell what became of a frame.

    Raises:
        UnexpectedAnswer: it is an outcome that this client doesn't know.
    """
    sequence, timestamp_us = message.sequence, message.timestamp_us
    match message.WhichOneof("outcome"):
        case "result":
            return Segmented(sequence, timestamp_us, to_result(message.result))
        case "dropped":
            dropped = message.dropped
            reason = _enum_word(pb.DropReason, dropped.reason, "DROP_REASON_")
            retry_after, error_reason = dropped.retry_after_s or None, dropped.error_reason or None
            return Dropped(sequence, timestamp_us, reason, dropped.message, retry_after, error_reason)
        case "error":
            return Failed(sequence, timestamp_us, _error(message.error))
    raise UnexpectedAnswer(f"frame {sequence} has an outcome that this client doesn't know")


def to_info(message: pb.GetInfoResponse) -> dict[str, Any]:
    """Give the answer of ``GetInfo`` the names that ``/v1/info`` has for the same."""
    return {
        "version": message.version,
        "models": sorted(model.name for model in message.models),
        "variants": sorted(message.model_of_variant),
        "model_of_variant": dict(message.model_of_variant),
        "precision_of_model": {model.name: model.precision for model in message.models},
        "default_model": message.default_model,
        "default_variant": message.default_variant,
        "foreground_model": message.foreground_model,
        "finder_model": message.finder_model,
        "image_types": list(message.image_types),
        "pixel_formats": [_enum_word(pb.PixelFormat, number, "PIXEL_FORMAT_") for number in message.pixel_formats],
        "policies": [_enum_word(pb.StreamPolicy, number, "STREAM_POLICY_") for number in message.policies],
        "modes": [_enum_word(pb.Mode, number, "MODE_") for number in message.modes],
        "mask_formats": [_enum_word(pb.MaskFormat, number, "MASK_FORMAT_") for number in message.mask_formats],
        "smoothings": [_enum_word(pb.Smoothing, number, "SMOOTHING_") for number in message.smoothings],
        "limits": {field.name: getattr(message.limits, field.name) for field in pb.Limits.DESCRIPTOR.fields},
    }


def _boxes(rows: tuple[Row, ...]) -> list[pb.Box]:
    return [pb.Box(x1=x1, y1=y1, x2=x2, y2=y2) for x1, y1, x2, y2 in rows]


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _enum_name(ENUMS[name], name, str(value)) if name in ENUMS else value for name, value in options.items()
    }


def _enum_name(enum: EnumTypeWrapper, name: str, value: str) -> str:
    """Translate an option's value (``edge``) to the enum's name for it (``SMOOTHING_EDGE``)."""
    prefix = f"{name.upper()}_"
    known = [key.removeprefix(prefix).lower() for key, number in enum.items() if number]
    if value not in known:
        raise invalid(f"{name}: {value!r} is none of {', '.join(known)}", field=name, limit=known, value=value)
    return prefix + value.upper()


def _enum_word(enum: EnumTypeWrapper, number: int, prefix: str) -> str:
    """Translate an enum's number to the option's value; a number that isn't known stays a number."""
    known = {number: name for name, number in enum.items()}
    return known.get(number, str(number)).removeprefix(prefix).lower()


def _put_image(message: Any, image: LoadedImage, jpeg_quality: int | None) -> None:
    if isinstance(image, RawFrame):
        message.raw_frame.CopyFrom(
            pb.RawFrame(
                format=_enum_name(pb.PixelFormat, "pixel_format", image.format),
                width=image.width,
                height=image.height,
                stride=image.stride,
                chroma_stride=image.chroma_stride,
                data=image.data,
            )
        )
    elif isinstance(image, bytes) or jpeg_quality is not None or image.nbytes > MAX_RAW_BYTES:
        message.encoded_image = to_file(image, jpeg_quality)
    else:
        height, width, _ = image.shape
        raw = pb.RawFrame(format=pb.PIXEL_FORMAT_RGB24, width=width, height=height, data=image.tobytes())
        message.raw_frame.CopyFrom(raw)


def _instance(found: pb.Instance) -> Instance:
    box, rle = found.box, found.coco_rle
    corners = (box.x1, box.y1, box.x2, box.y2)
    surely = Found(found.found.score) if found.HasField("found") else None
    return Instance(corners, found.score, found.area, rle.counts, (rle.height, rle.width), surely)


def _error(error: pb.FrameError) -> ClientError:
    is_invalid = error.code == INVALID_ARGUMENT
    kind = KIND_OF_REASON.get(error.error_reason) or (InvalidRequest if is_invalid else InternalError)
    return kind(
        error.message,
        reason=error.error_reason or None,
        code="INVALID_ARGUMENT" if is_invalid else "INTERNAL",
        field=error.field or (IMAGE_FIELD if is_invalid else None),
        limit=_parse_value(error.limit),
        value=_parse_value(error.value),
    )


def credentials(address: Address) -> grpc.ChannelCredentials | None:
    """Return the credentials of a secure channel; None where a plain one is wanted."""
    return grpc.ssl_channel_credentials(*address.tls.pem()) if address.scheme in SECURE else None


def to_client_error(error: grpc.RpcError) -> ClientError:
    """Say why there is no answer."""
    code = error.code()
    trailing: dict[str, str | bytes] = dict(_pairs(error.trailing_metadata()))
    retry_after = _parse_retry_after(trailing.get(RETRY_AFTER))
    info = _parse_info(trailing.get(STATUS_DETAILS))
    kind = ERRORS.get(code, errors.UnexpectedAnswer)
    if retry_after is None:
        kind = ERRORS_OF_GRPC.get(code, kind)
    return KIND_OF_REASON.get(info.reason, kind)(
        error.details() or code.name,
        reason=info.reason or None,
        code=code.name,
        field=info.metadata.get("field"),
        limit=_parse_value(info.metadata.get("limit")),
        value=_parse_value(info.metadata.get("value")),
        retry_after=retry_after,
    )


def _pairs(metadata: object) -> Iterable[tuple[str, str | bytes]]:
    """List names and values; the sync and the async channel have different types for them."""
    return [(name, value) for name, value in metadata] if isinstance(metadata, Iterable) else []


def _parse_retry_after(retry_after: str | bytes | None) -> float | None:
    """Parse ``retry-after`` as seconds; None if it is missing or no number."""
    try:
        return None if retry_after is None else max(0.0, float(retry_after))
    except ValueError:
        return None


def _parse_info(details: str | bytes | None) -> ErrorInfo:
    """Find the reason in a status's details, and the field, the limit and the value; empty: the service sent none."""
    info = ErrorInfo()
    if isinstance(details, bytes):
        with suppress(DecodeError):
            for detail in Status.FromString(details).details:
                if detail.Unpack(info) and info.domain == DOMAIN:
                    return info
    return ErrorInfo()


def _parse_value(text: str | None) -> object:
    """Read a limit or a value, which is JSON unless it is a text; None if there is none."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
