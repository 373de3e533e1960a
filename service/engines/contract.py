"""The tensor contract: what a model must have, and how it says the rest, wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.canvas import Resize, Size
from service.domain import ModelRef
from service.engines.base import UNKNOWN_COST, Cost, ModelInfo

IMAGES, ROIS = "images", "rois"
MASK_OUTPUTS = ("masks", "instance_masks")
FOREGROUND_OUTPUT = "binary_masks"
MS_PER_GMAC = 15.0
"""On two CPU cores; only the start of the cost model, which learns from every batch."""
Shape = list[Any]


class ModelError(Exception):
    """It isn't a model that keeps the tensor contract; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model says about itself.

    Attributes:
        source: where it lies, for messages.
        images_type: NumPy's name of the type of its input ``images``; of any other type, what it is called there.
        inputs: shapes by name; a size that isn't fixed is no number and not positive.
        outputs: the same.
        metadata: what the shapes can't say, as our exports write it; empty for others.
    """

    source: str
    images_type: str
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str]


def describe(spoken: Spoken, name: str, version: str, engine: str) -> tuple[ModelInfo, str]:
    """What a model is, and which of its outputs holds the masks.

    Models without our metadata (the seed's releases) are described by their shapes: the one static canvas, pictures
    stretched to it.

    Raises:
        ModelError: it doesn't keep the tensor contract.
    """
    metadata, source = spoken.metadata, spoken.source
    if set(spoken.inputs) != {IMAGES, ROIS}:
        raise ModelError(f"{source}: inputs are {sorted(spoken.inputs)}, not images and rois")
    mask_output = next((output for output in MASK_OUTPUTS if output in spoken.outputs), None)
    if mask_output is None or FOREGROUND_OUTPUT not in spoken.outputs:
        outputs = sorted(spoken.outputs)
        raise ModelError(f"{source}: outputs are {outputs}, not masks (or instance_masks) and binary_masks")
    if spoken.images_type not in ("uint8", "float32"):
        raise ModelError(f"{source}: images are {spoken.images_type}, not uint8 or float")
    info = ModelInfo(
        ref=ModelRef(name, version, metadata.get("variant", name.rpartition("_")[2]), engine),
        canvases=_canvases(metadata, spoken.inputs[IMAGES], source),
        resize=Resize(metadata.get("resize", Resize.STRETCH)),
        mask_size=_mask_size(metadata, spoken.outputs[mask_output], source),
        takes_uint8=spoken.images_type == "uint8",
        seed=_seed(metadata),
        card={key: _value(metadata[key]) for key in sorted(metadata)},
    )
    return info, mask_output


def _canvases(metadata: Mapping[str, str], shape: Shape, source: str) -> tuple[Size, ...]:
    if "canvases" in metadata:
        return tuple((int(height), int(width)) for height, width in json.loads(metadata["canvases"]))
    height, width = shape[2:]
    if not isinstance(height, int) or not isinstance(width, int) or height <= 0 or width <= 0:
        raise ModelError(f"{source}: the canvas is neither in its metadata nor in the shape of images ({shape})")
    return ((height, width),)


def _mask_size(metadata: Mapping[str, str], shape: Shape, source: str) -> Size:
    height, width = json.loads(metadata["mask_size"]) if "mask_size" in metadata else shape[2:]
    try:
        # Some exporters write static sizes as symbolic dimensions named "128".
        size = int(height), int(width)
    except (TypeError, ValueError):
        size = 0, 0
    if min(size) <= 0:
        raise ModelError(f"{source}: the mask size is neither in its metadata nor in the shape of masks ({shape})")
    return size


def _seed(metadata: Mapping[str, str]) -> Cost:
    if "gmac" not in metadata:
        return UNKNOWN_COST
    image, person = json.loads(metadata["gmac"])
    return Cost(UNKNOWN_COST.constant, image * MS_PER_GMAC, person * MS_PER_GMAC)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
