"""What an ONNX file says of itself, found out without opening it as a model.

Metadata and tensors stand beside the weights, so that they are found by skipping what is large. That takes a
millisecond where opening the file takes a second.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from hiseg.engines.contract import ModelSignature, Shape
from hiseg.engines.unreadable import no_file

Buffer = bytes | mmap.mmap
GRAPH, METADATA = 7, 14
"""ONNX's numbers of the parts of a model."""
KEY, VALUE = 1, 2
"""Of the name and the text in an entry of the metadata."""
WEIGHT, INPUT, OUTPUT = 5, 11, 12
"""Of the parts of a graph."""
TYPE_OF_WEIGHT, NAME_OF_WEIGHT = 2, 8
NAME, TYPE, TENSOR, ELEMENT, SHAPE, SIDE, LENGTH, SYMBOL = 1, 2, 1, 1, 2, 1, 1, 2
"""Of what leads from an input or output to its name, its type and the sides of its shape."""
MAX_ENTRY_BYTES = 64 * 1024
"""Most bytes of an entry of the metadata that is looked at."""
TYPES = {1: "float32", 2: "uint8"}
"""ONNX's numbers of the contract's types, and NumPy's names."""
PRECISION_OF_TYPE = {1: "fp32", 2: "int8", 3: "int8", 10: "fp16"}
"""Precision of weights, by ONNX's numbers of types; others, such as INT64, are those of shapes and indices."""


def skim_signature(path: Path) -> ModelSignature:
    """Inputs, outputs and metadata of a file, and what its weights are in, as far as the file says them at all.

    Raises:
        OSError: it can't be read.
        ValueError: it is no ONNX file, or is cut off.
    """
    if why := no_file(path):
        raise ValueError(why)
    if not path.stat().st_size:
        raise ValueError("it is empty")
    metadata: dict[str, str] = {}
    inputs: dict[str, tuple[str, Shape]] = {}
    outputs: dict[str, tuple[str, Shape]] = {}
    weights: Counter[str] = Counter()
    constants: set[str] = set()
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            for number, start, end in _parts(data, 0, len(data)):
                if number == METADATA and end - start <= MAX_ENTRY_BYTES:
                    entry = {part: data[first:last].decode() for part, first, last in _parts(data, start, end)}
                    metadata[entry.get(KEY, "")] = entry.get(VALUE, "")
                elif number == GRAPH:
                    for part, first, last in _parts(data, start, end):
                        if part == WEIGHT:
                            kind = PRECISION_OF_TYPE.get(_number(TYPE_OF_WEIGHT, data, first, last), "")
                            weights[kind] += last - first
                            constants.add(_text(NAME_OF_WEIGHT, data, first, last))
                        elif part in (INPUT, OUTPUT):
                            name = _text(NAME, data, first, last)
                            (inputs if part == INPUT else outputs)[name] = _type_and_shape(data, first, last)
    except IndexError:
        raise ValueError("it is cut off") from None
    del weights[""]
    return ModelSignature(
        source=str(path),
        types={name: dtype for name, (dtype, _) in (inputs | outputs).items()},
        inputs={name: shape for name, (_, shape) in inputs.items() if name not in constants},
        outputs={name: shape for name, (_, shape) in outputs.items()},
        metadata=metadata,
        weights=max(weights, key=weights.__getitem__, default=""),
    )


def weights_of(path: Path) -> str:
    """Precision of most of the weights of a file; empty if it can't be told."""
    try:
        return skim_signature(path).weights
    except (OSError, ValueError):
        return ""


def _type_and_shape(data: Buffer, start: int, end: int) -> tuple[str, Shape]:
    """Type and shape of an input or output."""
    number, shape = 0, Shape()
    for kind in _only(TYPE, data, start, end):
        for tensor in _only(TENSOR, data, *kind):
            number = _number(ELEMENT, data, *tensor)
            sides = [side for whole in _only(SHAPE, data, *tensor) for side in _only(SIDE, data, *whole)]
            shape = [_number(LENGTH, data, *side) or _text(SYMBOL, data, *side) for side in sides]
    return TYPES.get(number, str(number)), shape


def _text(wanted: int, data: Buffer, start: int, end: int) -> str:
    """A text in a message; empty if it isn't there."""
    return next((data[first:last].decode() for first, last in _only(wanted, data, start, end)), "")


def _number(wanted: int, data: Buffer, start: int, end: int) -> int:
    """A number in a message; 0 if it isn't there."""
    return next((value for number, value, last in _fields(data, start, end) if number == wanted and last is None), 0)


def _only(wanted: int, data: Buffer, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the bytes of the fields with a number begin and end."""
    return ((first, last) for number, first, last in _parts(data, start, end) if number == wanted)


def _parts(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The number of each field of a message that has bytes of its own, and where these begin and end."""
    for number, first, last in _fields(data, start, end):
        if last is not None:
            yield number, first, last


def _fields(data: Buffer, start: int, end: int) -> Iterator[tuple[int, int, int | None]]:
    """The number of each field of a message, and where its bytes begin and end; for a number its value and None.

    Raises:
        IndexError: the message is cut off.
        ValueError: it is none.
    """
    position = start
    while position < end:
        tag, position = _varint(data, position)
        match tag & 7:
            case 0:  # a number
                value, position = _varint(data, position)
                yield tag >> 3, value, None
            case 1:  # eight bytes
                position += 8
            case 2:  # a text or a message
                length, position = _varint(data, position)
                if position + length > end:
                    raise IndexError
                yield tag >> 3, position, position + length
                position += length
            case 5:  # four bytes
                position += 4
            case _:
                raise ValueError("it is no message of protobuf")


def _varint(data: Buffer, position: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[position]
        value, shift, position = value | (byte & 0x7F) << shift, shift + 7, position + 1
        if byte < 0x80:
            return value, position
        if shift > 63:
            raise ValueError("it has no number where one must be")
