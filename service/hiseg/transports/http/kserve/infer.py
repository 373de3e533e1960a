"""What the model's tensors mean: a request's -> image, boxes and options; a result -> an answer's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request

from hiseg.api.options import Options, read_values
from hiseg.core.errors import InvalidRequest, UnsupportedImage
from hiseg.core.job import Priority
from hiseg.core.result import Result
from hiseg.masks.formats.rle import coco_rle
from hiseg.transports.http.kserve.tensors import HEADER_LENGTH, InferIn, TensorOut, read_bytes, read_rows, split

IMAGE, BOXES = "image", "boxes"
INPUTS = [
    {"name": IMAGE, "datatype": "BYTES", "shape": [1]},
    {"name": BOXES, "datatype": "FP32", "shape": [-1, 4]},
]
OUTPUTS = [
    {"name": "masks", "datatype": "BYTES", "shape": [-1]},
    {"name": "scores", "datatype": "FP32", "shape": [-1]},
    {"name": "areas", "datatype": "INT64", "shape": [-1]},
    {"name": "boxes", "datatype": "FP32", "shape": [-1, 4]},
    {"name": "image_size", "datatype": "INT64", "shape": [2]},
]
"""``masks`` are COCO RLE as JSON; ``boxes`` are those sent, as ``xyxy`` in pixels and clipped to the image;
``image_size`` is height and width after EXIF rotation."""
NAMES = tuple(str(output["name"]) for output in OUTPUTS)
BINARY, ALL_BINARY = "binary_data", "binary_data_output"
TIMEOUT_US, PRIORITY = "timeout", "priority"
SAID_ELSEWHERE = {"variant": "the URL names the model", "mask_format": "masks are COCO RLE"}
HIGHEST_PRIORITY = 1
"""Triton's; 0 is its default, and larger numbers wait for smaller ones."""


@dataclass(frozen=True, slots=True)
class Inference:
    """A request, read but not yet understood.

    Attributes:
        id: the caller's name for it.
        image: the encoded file.
        rows: boxes in the caller's form.
        options: how to read them, and what to do.
        outputs: what is asked for, in this order, and whether in binary.
    """

    id: str | None
    image: bytes
    rows: list[list[float]]
    options: Options
    outputs: Mapping[str, bool]


async def read_inference(request: Request) -> Inference:
    """A request's body, in JSON or with binary tensors behind it.

    Raises:
        InvalidRequest: something in it is wrong.
        UnsupportedImage: it is compressed.
        TooLarge: the body is over the limit.
    """
    if (encoding := request.headers.get("content-encoding", "identity")) != "identity":
        raise UnsupportedImage(
            f"content-encoding {encoding[:20]!r} is not taken; JPEGs don't get smaller",
            field="content-encoding",
            limit="identity",
            value=encoding[:20],
        )
    asked, blobs = split(await request.body(), request.headers.get(HEADER_LENGTH))
    tensors = {tensor.name: tensor for tensor in asked.inputs}
    if unknown := sorted(set(tensors) - {IMAGE, BOXES}):
        raise _unknown("input", unknown[0], (IMAGE, BOXES))
    if len(tensors) < len(asked.inputs):
        raise InvalidRequest("an input is there twice", field="inputs", value=len(asked.inputs))
    if IMAGE not in tensors:
        raise InvalidRequest("there is no input 'image'", field=IMAGE)
    rows = read_rows(tensors[BOXES], blobs.get(BOXES)) if BOXES in tensors else []
    image = read_bytes(tensors[IMAGE], blobs.get(IMAGE))
    return Inference(asked.id, image, rows, read_options(asked.parameters), read_outputs(asked))


def read_options(parameters: Mapping[str, Any]) -> Options:
    """The options of ``/v1/segment`` under their own names; also Triton's ``timeout`` and numbers as ``priority``.

    Raises:
        InvalidRequest: a name or a value that there isn't.
    """
    given = {name: value for name, value in parameters.items() if name != ALL_BINARY}
    for name, why in SAID_ELSEWHERE.items():
        if name in given:
            raise InvalidRequest(f"{name} can't be chosen here: {why}", field=name, value=str(given[name])[:80])
    microseconds = given.pop(TIMEOUT_US, None)
    if microseconds is not None:
        if type(microseconds) is not int or microseconds <= 0:
            raise InvalidRequest(
                "timeout is not a number of microseconds above 0", field=TIMEOUT_US, value=str(microseconds)[:80]
            )
        given.setdefault("deadline_ms", -(-microseconds // 1000))
    if type(given.get(PRIORITY)) is int:
        given[PRIORITY] = Priority.INTERACTIVE if given[PRIORITY] <= HIGHEST_PRIORITY else Priority.BATCH
    return read_values(Options, given)


def read_outputs(asked: InferIn) -> dict[str, bool]:
    """The outputs that are asked for, all if none is named, and whether in binary.

    Raises:
        InvalidRequest: one that there isn't.
    """
    everything = asked.parameters.get(ALL_BINARY) is True
    if not asked.outputs:
        return dict.fromkeys(NAMES, everything)
    chosen = {output.name: output.parameters.get(BINARY, everything) is True for output in asked.outputs}
    if unknown := sorted(set(chosen) - set(NAMES)):
        raise _unknown("output", unknown[0], NAMES)
    return chosen


def tensors(result: Result) -> dict[str, TensorOut]:
    """All outputs of a result by their names; one row per box, in binary mode one for everybody."""
    found = [result.foreground] if result.foreground else list(result.instances)
    rles = [coco_rle(instance.mask, result.width, result.height) for instance in found]
    boxes = np.array([instance.box.as_tuple() for instance in found], np.float32).reshape(-1, 4)
    outputs = (
        TensorOut("masks", [json.dumps(rle).encode() for rle in rles]),
        TensorOut("scores", np.array([instance.score for instance in found], np.float32)),
        TensorOut("areas", np.array([instance.area for instance in found], np.int64)),
        TensorOut("boxes", boxes),
        TensorOut("image_size", np.array([result.height, result.width], np.int64)),
    )
    return {output.name: output for output in outputs}


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> InvalidRequest:
    return InvalidRequest(
        f"there is no {kind} {name[:80]!r}; there are {', '.join(known)}",
        field=kind + "s",
        limit=list(known),
        value=name[:80],
    )
