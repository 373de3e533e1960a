"""Tensors as the Open Inference Protocol writes them: in JSON, or as bytes after it (binary tensor data extension)."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from hiseg.api.base64_reader import NotBase64
from hiseg.api.boxes import check_count
from hiseg.api.json_reader import JsonLimits, LongText, read_json, resolve
from hiseg.api.numbers import as_number
from hiseg.core.errors import InvalidRequest, quote, shorten

HEADER_LENGTH = "Inference-Header-Content-Length"
"""HTTP header: number of bytes of JSON in the body; binary tensors follow them."""
BINARY_SIZE = "binary_data_size"
SHARED_MEMORY = "shared_memory_"
"""How the names of parameters begin that say where in shared memory a tensor is."""
NO_SHARED_MEMORY = "tensors are not read from shared memory nor written to it"
MAX_NAME_LENGTH = 200
"""Most characters of a name, and of the id of a request."""
MAX_TENSORS = 16
"""Most inputs, and most outputs, of a request."""
LENGTH = struct.Struct("<I")
"""Length in bytes, before each element of a BYTES tensor in binary form."""
Side = Annotated[int, Field(ge=0, lt=2**31), BeforeValidator(as_number)]
Parameters = Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)]
Numbers: TypeAlias = npt.NDArray[np.float32] | npt.NDArray[np.int64]


class TensorIn(BaseModel):
    """An input tensor of a request; its data may follow the JSON in binary form instead."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=MAX_NAME_LENGTH)
    shape: list[Side] = Field(max_length=8, fail_fast=True)
    datatype: str
    parameters: Parameters = Field(default_factory=dict)
    data: list[Any] | None = None

    @field_validator("data")
    @classmethod
    def _resolve(cls, data: list[Any] | None, info: ValidationInfo) -> list[Any] | None:
        """Put the text in its place that is the only element, in as many lists as there are around it."""
        inner = data
        while inner and len(inner) == 1:
            inner[0] = resolve(inner[0], info)
            inner = inner[0] if isinstance(inner[0], list) else None
        return data


class OutputIn(BaseModel):
    """An output tensor that a request names."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=MAX_NAME_LENGTH)
    parameters: Parameters = Field(default_factory=dict)


class InferIn(BaseModel):
    """A request; names that the protocol hasn't are refused, since nobody knows what was meant by them."""

    model_config = ConfigDict(extra="forbid")

    id: str | None = Field(None, max_length=MAX_NAME_LENGTH)
    parameters: Parameters = Field(default_factory=dict)
    inputs: list[TensorIn] = Field(max_length=MAX_TENSORS, fail_fast=True)
    outputs: list[OutputIn] | None = Field(None, max_length=MAX_TENSORS, fail_fast=True)


def split_body(body: bytes, header_length: str | None, limits: JsonLimits) -> tuple[InferIn, dict[str, memoryview]]:
    """Parse a body, and cut off the bytes of its binary tensors.

    Args:
        body: the whole body.
        header_length: value of the header :data:`HEADER_LENGTH`; None: all of the body is JSON.
        limits: how much JSON it may have.

    Returns:
        The request, and the bytes of its binary tensors by their names.

    Raises:
        InvalidRequest: the header, the JSON or the sizes are wrong.
        TooLarge: there is more JSON.
    """
    size = len(body)
    if header_length is not None:
        if (
            not (header_length.isascii() and header_length.isdecimal())
            or len(header_length) > 10
            or int(header_length) > len(body)
        ):
            raise InvalidRequest(
                f"{HEADER_LENGTH} is {shorten(header_length)!r}; the body has {len(body)} bytes",
                field=HEADER_LENGTH,
                limit=len(body),
                value=header_length,
            )
        size = int(header_length)
    request = read_json(InferIn, body if size == len(body) else body[:size], limits)
    blobs = {}
    for tensor in request.inputs:
        _check_parameters(tensor)
        if BINARY_SIZE in tensor.parameters:
            length = tensor.parameters[BINARY_SIZE]
            left = len(body) - size
            if type(length) is not int or not 0 <= length <= left:
                why = "" if header_length else f", since there is no header {HEADER_LENGTH}"
                raise InvalidRequest(
                    f"{shorten(tensor.name)}: {BINARY_SIZE} is {quote(length)}; {left} bytes are left in the body{why}",
                    field=tensor.name,
                    limit=left,
                    value=quote(length),
                )
            blobs[tensor.name] = memoryview(body)[size : size + length]
            size += length
    if size != len(body):
        raise InvalidRequest(
            f"{len(body) - size} bytes follow that belong to no tensor", field="body", limit=size, value=len(body)
        )
    return request, blobs


async def read_bytes(tensor: TensorIn, blob: memoryview | None) -> bytes:
    """Read the only element of a BYTES tensor; in JSON it is base64.

    Raises:
        InvalidRequest: another datatype or shape, or data that doesn't fit them.
    """
    _check_type(tensor, "BYTES")
    if any(side != 1 for side in tensor.shape):
        raise InvalidRequest(
            f"{shorten(tensor.name)} has the shape {tensor.shape}; one image a request is taken, in the shape [1]",
            field=tensor.name,
            limit=[1],
            value=tensor.shape,
        )
    if blob is not None:
        if len(blob) < LENGTH.size or LENGTH.unpack_from(blob)[0] != len(blob) - LENGTH.size:
            raise _wrong_data(tensor, "its bytes are not one element with its length before it")
        return bytes(blob[LENGTH.size :])
    flat = _flat(tensor)
    text = flat[0] if len(flat) == 1 else None
    if isinstance(text, str):
        text = LongText(text.encode("utf-8", "surrogatepass"), is_escaped=False)
    if not isinstance(text, LongText):
        raise _wrong_data(tensor, "data is not one string in base64")
    try:
        return await text.from_base64()
    except NotBase64 as error:
        raise _wrong_data(tensor, f"data is not base64: {error}") from error


def read_rows(tensor: TensorIn, blob: memoryview | None, max_boxes: int) -> list[list[float]]:
    """Read the rows of an FP32 tensor ``[N, 4]``.

    Raises:
        InvalidRequest: another datatype or shape, or data that doesn't fit them.
        TooLarge: more rows than ``max_boxes``.
    """
    _check_type(tensor, "FP32")
    if len(tensor.shape) != 2 or tensor.shape[1] != 4:
        raise InvalidRequest(
            f"{shorten(tensor.name)} has the shape {tensor.shape}; it must be [N, 4]",
            field=tensor.name,
            limit=[-1, 4],
            value=tensor.shape,
        )
    count = 4 * tensor.shape[0]
    if blob is not None:
        if len(blob) != 4 * count:
            raise _wrong_data(tensor, f"{len(blob)} bytes are not the {4 * count} of its shape {tensor.shape}")
        check_count(tensor.shape[0], max_boxes)
        numbers = np.frombuffer(blob, "<f4").tolist()
    else:
        numbers = _flat(tensor)
        if len(numbers) != count or not all(type(number) in (int, float) for number in numbers):
            raise _wrong_data(tensor, f"data is not the {count} numbers of its shape {tensor.shape}")
    check_count(tensor.shape[0], max_boxes)
    try:
        return [[float(number) for number in numbers[first : first + 4]] for first in range(0, count, 4)]
    except OverflowError as error:
        raise _wrong_data(tensor, "a number is too large") from error


class TensorOut:
    """An output tensor of a response.

    Args:
        name: name of the output.
        values: float32 or int64 numbers of any shape, or the elements of a BYTES tensor of one dimension.
    """

    def __init__(self, name: str, values: Numbers | Sequence[bytes]) -> None:
        self.name = name
        self.values = values
        if isinstance(values, np.ndarray):
            self.datatype = "FP32" if values.dtype == np.float32 else "INT64"
            self.shape = list(values.shape)
        else:
            self.datatype, self.shape = "BYTES", [len(values)]

    def as_json(self) -> dict[str, Any]:
        """The tensor with its data in JSON; elements of a BYTES tensor must be UTF-8 text."""
        values = self.values
        data = values.ravel().tolist() if isinstance(values, np.ndarray) else [value.decode() for value in values]
        return self._description() | {"data": data}

    def as_binary(self) -> tuple[dict[str, Any], bytes]:
        """The tensor in JSON without its data, and the data as bytes."""
        if isinstance(self.values, np.ndarray):
            blob = self.values.astype(self.values.dtype.newbyteorder("<")).tobytes()
        else:
            blob = b"".join(LENGTH.pack(len(value)) + value for value in self.values)
        return self._description() | {"parameters": {BINARY_SIZE: len(blob)}}, blob

    def _description(self) -> dict[str, Any]:
        return {"name": self.name, "datatype": self.datatype, "shape": self.shape}


def join_body(fields: dict[str, Any], tensors: Sequence[tuple[TensorOut, bool]]) -> tuple[bytes, int | None]:
    """Write the body of a response.

    Args:
        fields: fields of the response, without its outputs.
        tensors: the outputs, and whether each is binary.

    Returns:
        The body, and how many bytes of it are JSON; None: all.
    """
    outputs, blobs = [], []
    for tensor, binary in tensors:
        if binary:
            output, blob = tensor.as_binary()
            blobs.append(blob)
        else:
            output = tensor.as_json()
        outputs.append(output)
    header = json.dumps(fields | {"outputs": outputs}, separators=(",", ":")).encode()
    return (header + b"".join(blobs), len(header)) if blobs else (header, None)


def _check_parameters(tensor: TensorIn) -> None:
    for name in tensor.parameters:
        if name.startswith(SHARED_MEMORY):
            raise InvalidRequest(f"{shorten(tensor.name)}: {NO_SHARED_MEMORY}", field=tensor.name, value=name)
        if name != BINARY_SIZE:
            raise InvalidRequest(
                f"{shorten(tensor.name)} has the parameter {shorten(name)!r}; there is {BINARY_SIZE}",
                field=tensor.name,
                limit=[BINARY_SIZE],
                value=name,
            )
    if BINARY_SIZE in tensor.parameters and tensor.data is not None:
        raise _wrong_data(tensor, f"it has both data and {BINARY_SIZE}")


def _check_type(tensor: TensorIn, datatype: str) -> None:
    if tensor.datatype != datatype:
        raise InvalidRequest(
            f"{shorten(tensor.name)} has the datatype {shorten(tensor.datatype)!r}; it must be {datatype}",
            field=tensor.name,
            limit=datatype,
            value=tensor.datatype,
        )


def _flat(tensor: TensorIn) -> list[Any]:
    if tensor.data is None:
        raise _wrong_data(tensor, f"it has neither data nor {BINARY_SIZE}")
    flat: list[Any] = tensor.data
    # As deep as its shape says and no deeper: the protocol takes both nested and flat lists.
    for _ in tensor.shape[1:]:
        if all(isinstance(item, list) for item in flat):
            flat = [value for item in flat for value in item]
    return flat


def _wrong_data(tensor: TensorIn, why: str) -> InvalidRequest:
    return InvalidRequest(f"{shorten(tensor.name)}: {why}", field=tensor.name)
