"""What tensors mean for our models: those of a request become image, boxes and options, a result becomes tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fastapi import Request

from hiseg.api.json_reader import limits_of_options
from hiseg.api.options import Options
from hiseg.api.validation import read_values
from hiseg.core.errors import InvalidRequest, shorten
from hiseg.core.job import Mode, Priority
from hiseg.core.result import Instance, Result
from hiseg.core.stop import NEVER, Stop
from hiseg.masks.formats.rle import coco_rle
from hiseg.transports.http.content import json_body
from hiseg.transports.http.kserve.tensors import (
    HEADER_LENGTH,
    NO_SHARED_MEMORY,
    SHARED_MEMORY,
    InferIn,
    TensorOut,
    read_bytes,
    read_rows,
    split_body,
)
from hiseg.transports.http.texts import check_deadlines, read_deadline

IMAGE, BOXES = "image", "boxes"
INPUTS: list[dict[str, Any]] = [
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
FOREGROUND = {"mode": Mode.BINARY.value}
"""Default options of a model without masks."""
FIXED_OPTIONS = {"model": "the URL names it", "variant": "the URL names the model", "mask_format": "masks are COCO RLE"}
"""Options that can't be chosen in this protocol, and why."""
WHY_NOT = {"classification": "masks are not classes"}
"""Parameters of outputs that Triton has, and why there are none here."""
HIGHEST_PRIORITY = 1
"""Triton's highest priority: 0 is its default, and larger numbers wait for smaller ones."""


@dataclass(frozen=True, slots=True)
class InferRequest:
    """A request for masks as the protocol has it.

    Attributes:
        id: the caller's name for the request, which the response repeats; None: it has none.
        image: encoded.
        rows: boxes as they were sent, None if they are left out; what the numbers mean is among the options.
        options: validated.
        outputs: names of the output tensors in the order of the response, and whether each is binary.
    """

    id: str | None
    image: bytes
    rows: list[list[float]] | None
    options: Options
    outputs: Mapping[str, bool]


def inputs_of(has_masks: bool) -> list[dict[str, Any]]:
    """The inputs of a model; one without masks has no use for boxes."""
    return [each for each in INPUTS if has_masks or each["name"] != BOXES]


async def read_infer_request(request: Request, max_boxes: int, has_masks: bool) -> InferRequest:
    """Read a body of JSON, with or without binary tensors after it.

    Args:
        request: the request; its body isn't read yet.
        max_boxes: most boxes that are taken, by which the JSON around them is limited too.
        has_masks: whether the model that the URL names gives masks; else the mode is binary, and there are no boxes.

    Raises:
        InvalidRequest: something in it is wrong.
        TooLarge: there are too many boxes, or too much JSON.
    """
    lengths = request.headers.getlist(HEADER_LENGTH)
    if len(lengths) > 1:
        raise InvalidRequest(f"{HEADER_LENGTH} is there {len(lengths)} times", field=HEADER_LENGTH, value=lengths)
    length = lengths[0] if lengths else None
    deadline_ms = read_deadline(request, "options are parameters of the request's JSON")
    body, blobs = split_body(await json_body(request), length, limits_of_options(max_boxes))
    tensors = {tensor.name: tensor for tensor in body.inputs}
    known = tuple(each["name"] for each in inputs_of(has_masks))
    if unknown := sorted(set(tensors) - {*known}):
        raise _unknown("input", unknown[0], known)
    if len(tensors) < len(body.inputs):
        raise InvalidRequest("an input is there twice", field="inputs", value=len(body.inputs))
    if IMAGE not in tensors:
        raise InvalidRequest("there is no input 'image'", field=IMAGE)
    rows = read_rows(tensors[BOXES], blobs.get(BOXES), max_boxes) if BOXES in tensors else None
    image = await read_bytes(tensors[IMAGE], blobs.get(IMAGE))
    options, outputs = read_options(({} if has_masks else FOREGROUND) | body.parameters), read_outputs(body)
    check_deadlines(deadline_ms, options.deadline_ms)
    return InferRequest(body.id, image, rows, options, outputs)


def read_options(parameters: Mapping[str, Any]) -> Options:
    """Read the options of ``/v1/segment`` from parameters of the same names.

    Triton's own parameters are understood too: ``timeout`` in microseconds, and a number as ``priority``.

    Raises:
        InvalidRequest: a name or a value that there isn't.
    """
    values = {name: value for name, value in parameters.items() if name != ALL_BINARY}
    for name, why in FIXED_OPTIONS.items():
        if name in values:
            raise InvalidRequest(f"{name} can't be chosen here: {why}", field=name, value=values[name])
    microseconds = values.pop(TIMEOUT_US, None)
    if microseconds is not None:
        if type(microseconds) is not int or microseconds <= 0:
            raise InvalidRequest(
                "timeout is not a number of microseconds above 0", field=TIMEOUT_US, value=microseconds
            )
        if "deadline_ms" in values:
            raise InvalidRequest("timeout and deadline_ms are the same; one is enough", field=TIMEOUT_US)
        values["deadline_ms"] = -(-microseconds // 1000)
    if type(values.get(PRIORITY)) is int and values[PRIORITY] >= 0:
        values[PRIORITY] = Priority.INTERACTIVE if values[PRIORITY] <= HIGHEST_PRIORITY else Priority.BATCH
    return read_values(Options, values)


def read_outputs(body: InferIn) -> dict[str, bool]:
    """The requested outputs, all of them if none is named, and whether each is binary.

    Raises:
        InvalidRequest: one that there isn't.
    """
    all_binary = _flag(body.parameters, ALL_BINARY, False)
    if not body.outputs:
        return dict.fromkeys(NAMES, all_binary)
    outputs: dict[str, bool] = {}
    for output in body.outputs:
        if output.name not in NAMES:
            raise _unknown("output", output.name, NAMES)
        if output.name in outputs:
            raise InvalidRequest(f"the output {output.name!r} is there twice", field="outputs", value=output.name)
        for name in output.parameters:
            if name != BINARY:
                why = WHY_NOT.get(name) or (
                    NO_SHARED_MEMORY if name.startswith(SHARED_MEMORY) else f"there is {BINARY}"
                )
                raise InvalidRequest(
                    f"the output {output.name!r} has the parameter {shorten(name)!r}: {why}",
                    field="outputs",
                    limit=[BINARY],
                    value=name,
                )
        outputs[output.name] = _flag(output.parameters, BINARY, all_binary)
    return outputs


def _flag(parameters: Mapping[str, Any], name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if type(value) is not bool:
        raise InvalidRequest(f"{name} is neither true nor false", field=name, value=value)
    return value


def output_tensors(result: Result, stop: Stop = NEVER) -> dict[str, TensorOut]:
    """All outputs of a result by their names, as :data:`OUTPUTS` describes them.

    They have one row for each box; in binary mode one row, for the foreground.

    Args:
        result: the result.
        stop: looked at before each mask.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """

    def encode(instance: Instance) -> bytes:
        stop.check()
        return json.dumps(coco_rle(instance.mask, result.width, result.height)).encode()

    instances = [result.foreground] if result.foreground else list(result.instances)
    boxes = np.array([instance.box.as_tuple() for instance in instances], np.float32).reshape(-1, 4)
    outputs = (
        TensorOut("masks", [encode(instance) for instance in instances]),
        TensorOut("scores", np.array([instance.score for instance in instances], np.float32)),
        TensorOut("areas", np.array([instance.area for instance in instances], np.int64)),
        TensorOut("boxes", boxes),
        TensorOut("image_size", np.array([result.height, result.width], np.int64)),
    )
    return {output.name: output for output in outputs}


def _unknown(kind: str, name: str, known: tuple[str, ...]) -> InvalidRequest:
    return InvalidRequest(
        f"there is no {kind} {shorten(name)!r}; there are {', '.join(known)}",
        field=kind + "s",
        limit=list(known),
        value=name,
    )
