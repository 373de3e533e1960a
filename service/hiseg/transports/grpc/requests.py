"""Reads requests and frames: bytes into a message, and its fields into options, boxes and an image."""

from __future__ import annotations

from typing import Any, TypeAlias, TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from hiseg.api.boxes import check_count
from hiseg.api.options import Options
from hiseg.api.validation import read_values
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import ImageSource
from hiseg.images.limits import IMAGE_FIELD, ImageLimits
from hiseg.images.raw import PixelFormat, make_raw_frame
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.tracking import BoxRows
from hiseg.transports.grpc.wire import check_fields

ENUMS: dict[str, EnumTypeWrapper] = {
    "box_format": pb.BoxFormat,
    "mode": pb.Mode,
    "mask_format": pb.MaskFormat,
    "priority": pb.Priority,
    "smoothing": pb.Smoothing,
}
"""The enum of each option that has one; its values are named as ours, in capitals after the field: ``MODE_BINARY``."""
NAMES = ("model", "variant")
"""The options that are names; empty ones are left out."""
MAX_TOLD = 5
"""Most unknown fields of a message that a note names."""
ImageMessage: TypeAlias = pb.SegmentRequest | pb.Frame
M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes, max_boxes: int) -> M:
    """Parse a message.

    Args:
        kind: what it must be.
        data: the message.
        max_boxes: most boxes that it may have.

    Raises:
        InvalidRequest: the bytes are no message of that kind.
        TooLarge: it has many more boxes, or other fields, than are taken.
    """
    check_fields(data, kind, max_boxes)
    try:
        return kind.FromString(data)
    except DecodeError as error:
        name = kind.DESCRIPTOR.full_name
        raise InvalidRequest(f"the message is not a {name}", field="request") from error


def read_image(message: ImageMessage, limits: ImageLimits) -> bytes | ImageSource:
    """Copy the image out of a message, so that the message can be released.

    Returns:
        An encoded image, which isn't checked yet, or a raw frame, which is.

    Raises:
        InvalidRequest: there is none, or a raw frame whose sizes don't fit.
        TooLarge: a raw frame with more bytes or pixels than are taken.
    """
    match message.WhichOneof(IMAGE_FIELD):
        case "encoded_image":
            return message.encoded_image
        case "raw_frame":
            raw = message.raw_frame
            pixel_format = PixelFormat(enum_value(pb.PixelFormat, raw.format, "pixel_format", "raw_frame.format"))
            return make_raw_frame(raw.data, pixel_format, raw.width, raw.height, limits, raw.stride, raw.chroma_stride)
        case _:
            raise InvalidRequest("there is no image; set encoded_image or raw_frame", field=IMAGE_FIELD)


def notes_on(message: Message) -> tuple[str, ...]:
    """Say that a message has fields which this version doesn't know, and so doesn't read, in a note for the answer."""
    fields: Any = UnknownFieldSet(message)
    if not len(fields):
        return ()
    told = ", ".join(map(str, sorted({field.field_number for field in fields})[:MAX_TOLD]))
    return (f"the {message.DESCRIPTOR.name} has fields that this version of the service doesn't know: {told}",)


def read_options(message: pb.SegmentRequest | pb.SegmentOptions) -> Options:
    """Read the options of a message; those that it leaves out have their defaults.

    Raises:
        InvalidRequest: an option has a value that it can't have.
    """
    plain = ("normalized", "dilation_px", "resolve_overlaps")
    values: dict[str, object] = {field: getattr(message, field) for field in plain}
    for field, enum in ENUMS.items():
        if number := getattr(message, field):
            values[field] = enum_value(enum, number, field)
    for field in NAMES:
        if name := getattr(message, field):
            values[field] = name
    if message.max_people:
        values["max_people"] = message.max_people
    for field in ("threshold", "tolerance_px", "find", "find_threshold"):
        if message.HasField(field):
            values[field] = getattr(message, field)
    return read_values(Options, values)


def read_rows(message: ImageMessage, options: Options, max_boxes: int) -> BoxRows:
    """Read the boxes of a message as they were sent.

    Raises:
        TooLarge: more boxes than are taken.
    """
    check_count(len(message.boxes), max_boxes)
    numbers = [(box.x1, box.y1, box.x2, box.y2) for box in message.boxes]
    return BoxRows(numbers, options.box_format, options.normalized)


def enum_value(enum: EnumTypeWrapper, number: int, prefix: str, field: str = "") -> str:
    """Convert a value of a protobuf enum to the text that the rest of the service has for it.

    Args:
        enum: the enum.
        number: the value that was sent.
        prefix: prefix of the names of all values of the enum, in small letters.
        field: field of the request that the value stands in, for errors; empty: the same as ``prefix``.

    Raises:
        InvalidRequest: it is none of the enum's values, or the unspecified one.
    """
    field = field or prefix
    names = [name for name, value in enum.items() if value]
    # proto3 lets any number through.
    if number not in enum.values() or not number:
        raise InvalidRequest(f"{field}: {number} is none of {', '.join(names)}", field=field, limit=names, value=number)
    return enum.Name(number).removeprefix(f"{prefix.upper()}_").lower()
