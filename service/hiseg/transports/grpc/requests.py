"""A request's bytes -> a message, and its fields -> options, boxes and a picture in our own words."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import DecodeError, Message

from hiseg.api.options import MAX_ROWS, Options, read_values
from hiseg.core.errors import InvalidRequest
from hiseg.core.image import ImageSource
from hiseg.images.encoded import inspect
from hiseg.images.limits import FIELD, ImageLimits
from hiseg.images.raw import PixelFormat, raw_frame
from hiseg.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb
from hiseg.transports.grpc.tracking import BoxRows

ENUMS: dict[str, EnumTypeWrapper] = {
    "box_format": pb.BoxFormat,
    "mode": pb.Mode,
    "mask_format": pb.MaskFormat,
    "priority": pb.Priority,
    "smoothing": pb.Smoothing,
}
"""Options that are enums, by field. Their values are ours in capitals, after the field's name: ``MODE_BINARY``."""
Pictured: TypeAlias = pb.SegmentRequest | pb.Frame
M = TypeVar("M", bound=Message)


def parse(kind: type[M], data: bytes) -> M:
    """The message.

    Raises:
        InvalidRequest: it is none of that kind.
    """
    try:
        return kind.FromString(data)
    except DecodeError as error:
        name = kind.DESCRIPTOR.full_name
        raise InvalidRequest(f"the message is not a {name}", field="request") from error


def read_picture(message: Pictured, limits: ImageLimits) -> ImageSource:
    """The image, checked but not decoded; a copy of it, so that the message can go.

    Raises:
        InvalidRequest: there is none, or a raw frame whose sizes don't fit.
        TooLarge: more bytes or pixels than are taken.
        UnsupportedImage: not an image type that is taken.
        UndecodableImage: with a damaged header.
    """
    match message.WhichOneof(FIELD):
        case "encoded_image":
            return inspect(message.encoded_image, limits)
        case "raw_frame":
            raw = message.raw_frame
            form = PixelFormat(spelled(pb.PixelFormat, raw.format, "pixel_format", "raw_frame.format"))
            return raw_frame(raw.data, form, raw.width, raw.height, limits, raw.stride, raw.chroma_stride)
        case _:
            raise InvalidRequest("there is no image; set encoded_image or raw_frame", field=FIELD)


def read_options(message: pb.SegmentRequest | pb.SegmentOptions) -> Options:
    """What the message says; what it leaves out has its default.

    Raises:
        InvalidRequest: an option has a value that it can't have.
    """
    plain = ("normalized", "dilation_px", "resolve_overlaps")
    given: dict[str, object] = {field: getattr(message, field) for field in plain}
    for field, enum in ENUMS.items():
        if number := getattr(message, field):
            given[field] = spelled(enum, number, field)
    if message.variant:
        given["variant"] = message.variant
    for field in ("threshold", "tolerance_px"):
        if message.HasField(field):
            given[field] = getattr(message, field)
    return read_values(Options, given)


def read_rows(message: Pictured, options: Options) -> BoxRows:
    """The boxes, in the caller's form; of far too many, which are refused by their number, only the first."""
    numbers = [(box.x1, box.y1, box.x2, box.y2) for box in message.boxes[:MAX_ROWS]]
    return BoxRows(numbers, options.box_format, options.normalized)


def spelled(enum: EnumTypeWrapper, number: int, prefix: str, field: str = "") -> str:
    """An enum's value in our own words.

    Args:
        enum: whose value it is.
        number: what was sent.
        prefix: of all names of the enum, in small letters.
        field: where it stands; by the name of the prefix, if left out.

    Raises:
        InvalidRequest: it is none of its values, or the unspecified one, which callers of this may not mean.
    """
    field = field or prefix
    names = [name for name, value in enum.items() if value]
    # proto3 lets any number through.
    if number not in enum.values() or not number:
        raise InvalidRequest(f"{field}: {number} is none of {', '.join(names)}", field=field, limit=names, value=number)
    return enum.Name(number).removeprefix(f"{prefix.upper()}_").lower()
