"""Counts the fields of a protobuf message before it is parsed.

Two bytes can be a box, for which the parser takes fifty: ten million of them are a third of a second in which nothing
else is answered, and half a gigabyte. An honest message is long for its image, which is one field.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from hiseg.core.errors import InvalidRequest, Reason, TooLarge

MAX_UNCOUNTED_BYTES = 16 * 1024
"""Messages, and parts of them, of at most so many bytes are parsed without being looked at: it takes no time."""
MAX_OTHER_FIELDS = 200
"""Most fields of a longer message besides its boxes; an honest one has some thirty."""
VARINT, FIXED_64, LENGTH, GROUP, END_GROUP, FIXED_32 = range(6)
FIXED_BYTES = {FIXED_64: 8, GROUP: 0, END_GROUP: 0, FIXED_32: 4}


def check_fields(data: bytes, kind: type[Message], max_boxes: int) -> None:
    """Count the fields of a message, and of the messages in it.

    Args:
        data: the message.
        kind: what it is.
        max_boxes: most boxes that it may have.

    Raises:
        TooLarge: there are too many.
        InvalidRequest: it is no message.
    """
    if len(data) > MAX_UNCOUNTED_BYTES:
        _check(data, 0, len(data), kind.DESCRIPTOR, 0, max_boxes + MAX_OTHER_FIELDS)


def _check(data: bytes, at: int, end: int, descriptor: Any, fields: int, limit: int) -> int:
    """Count the fields between two bytes; returns ``fields`` and how many there are."""
    while at < end:
        tag, at = _varint(data, at, end)
        kind, field = tag & 7, descriptor.fields_by_number.get(tag >> 3)
        fields += 1
        if fields > limit:
            name = field.name if field else "request"
            reason = Reason.TOO_MANY_BOXES if name == "boxes" else Reason.TOO_LARGE
            raise TooLarge(f"{name}: the message has more than {limit} fields", reason=reason, field=name, limit=limit)
        if kind == VARINT:
            _, at = _varint(data, at, end)
        elif kind == LENGTH:
            length, at = _varint(data, at, end)
            if length > end - at:
                raise _no_message()
            if length > MAX_UNCOUNTED_BYTES and field and field.message_type:
                fields = _check(data, at, at + length, field.message_type, fields, limit)
            at += length
        elif kind in FIXED_BYTES:
            at += FIXED_BYTES[kind]
        else:
            raise _no_message()
    return fields


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number that begins at a byte, seven bits a byte, and where it ends."""
    number = 0
    for shift, byte in enumerate(data[at : min(at + 10, end)]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    raise _no_message()


def _no_message() -> InvalidRequest:
    return InvalidRequest("the message is none of protobuf's", field="request")
