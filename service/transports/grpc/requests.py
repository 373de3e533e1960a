"""A request's bytes -> a message, and its fields -> options in our own words."""

from __future__ import annotations

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from google.protobuf.message import DecodeError
from pydantic import ValidationError

from service.errors import InvalidRequest
from service.images import FIELD
from service.options import Options, invalid
from service.transports.grpc.generated.hiseg.v1 import segmentation_pb2 as pb

ENUMS: dict[str, EnumTypeWrapper] = {
    "box_format": pb.BoxFormat,
    "mode": pb.Mode,
    "mask_format": pb.MaskFormat,
    "priority": pb.Priority,
}
"""Options that are enums, by field. Their values are ours in capitals, after the field's name: ``MODE_BINARY``."""


def parse(data: bytes) -> pb.SegmentRequest:
    """The message, which has an image.

    Raises:
        InvalidRequest: it is none, or has no image.
    """
    try:
        message = pb.SegmentRequest.FromString(data)
    except DecodeError as error:
        raise InvalidRequest("the message is not a hiseg.v1.SegmentRequest", field="request") from error
    if message.WhichOneof(FIELD) is None:
        raise InvalidRequest("there is no image; set encoded_image", field=FIELD)
    return message


def read_options(message: pb.SegmentRequest) -> Options:
    """What the message says; what it leaves out has its default.

    Raises:
        InvalidRequest: an option has a value that it can't have.
    """
    given: dict[str, object] = {"normalized": message.normalized}
    for field, enum in ENUMS.items():
        if number := getattr(message, field):
            given[field] = _spelled(enum, number, field)
    if message.variant:
        given["variant"] = message.variant
    if message.HasField("threshold"):
        given["threshold"] = message.threshold
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        raise invalid(error) from error


def rows(message: pb.SegmentRequest) -> list[tuple[float, float, float, float]]:
    """The boxes' numbers, in the caller's form."""
    return [(box.x1, box.y1, box.x2, box.y2) for box in message.boxes]


def _spelled(enum: EnumTypeWrapper, number: int, field: str) -> str:
    try:
        name = enum.Name(number)
    except ValueError as error:  # proto3 lets any number through
        raise InvalidRequest(
            f"{field}: {number} is none of {', '.join(enum.keys())}", field=field, limit=enum.keys(), value=number
        ) from error
    return name.removeprefix(f"{field.upper()}_").lower()
