"""Which variant a stored model is, found out without opening it.

A service opens every model once; a program that needs one of them would wait for the others. What a file says of itself
stands at its outermost level, beside the graph, so that it is found by skipping what is large.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator

from hiseg.core.result import ModelRef
from hiseg.engines.contract import variant_of_name
from hiseg.models.repository import StoredModel

METADATA, KEY, VALUE = 14, 1, 2
"""ONNX's numbers of the metadata in a model, and of the name and the text in an entry of it."""
MAX_ENTRY_BYTES = 64 * 1024
"""Most bytes of an entry that is looked at: no name of a variant is so long."""


def stored_ref(model: StoredModel) -> ModelRef:
    """What the embedded engine calls a model, with the variant that its file says it is."""
    return ModelRef(model.name, model.version, stored_variant(model), "onnx")


def stored_variant(model: StoredModel) -> str:
    """The variant that a file says it is, or else the one in its name, also where the file can't be read."""
    try:
        with model.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for number, start, end in _fields(data, 0, len(data)):
                if number == METADATA and end - start <= MAX_ENTRY_BYTES:
                    entry = data[start:end]
                    parts = {field: entry[first:last] for field, first, last in _fields(entry, 0, len(entry))}
                    if parts.get(KEY) == b"variant":
                        return parts.get(VALUE, b"").decode()
    except (OSError, ValueError, IndexError):
        pass  # opening it says what is wrong
    return variant_of_name(model.name)


def _fields(data: bytes | mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number of each field of a message that has bytes of its own, and where these begin and end.

    Raises:
        IndexError: the message is cut off.
        ValueError: it is none.
    """
    position = start
    while position < end:
        tag, position = _varint(data, position)
        match tag & 7:
            case 0:  # a number
                _, position = _varint(data, position)
            case 1:  # eight bytes
                position += 8
            case 2:  # a text or a message
                length, position = _varint(data, position)
                yield tag >> 3, position, position + length
                position += length
            case 5:  # four bytes
                position += 4
            case _:
                raise ValueError("no message of protobuf")


def _varint(data: bytes | mmap.mmap, position: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        value, shift, position = value | (byte & 0x7F) << shift, shift + 7, position + 1
        if byte < 0x80:
            return value, position
        if shift > 63:
            raise ValueError("no number of protobuf")
