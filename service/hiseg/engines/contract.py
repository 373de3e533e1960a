"""The tensor contract: what a model must have, and how it says the rest, wherever it runs."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hiseg.core.canvas import Resize, Size
from hiseg.core.result import ModelRef
from hiseg.engines.base import UNKNOWN_COST, Cost, ModelInfo

IMAGES, ROIS = "images", "rois"
WIDE_OUTPUT = "wide_masks"
BINARY_OUTPUT = "instance_masks"
MASK_OUTPUTS = (WIDE_OUTPUT, "masks", BINARY_OUTPUT)
"""The first that a model has is taken. Wide ones cover more than the box, where detectors cut off hands and feet."""
FOREGROUND_OUTPUT = "binary_masks"
MOST_EXTENT = 2.0
"""Of masks, in sides of their boxes; what they cover beyond the box takes memory too."""
MS_PER_GMAC = 15.0
"""On two CPU cores; only the start of the cost model, which learns from every batch."""
Shape = list[Any]
TYPES = {IMAGES: ("uint8", "float32")}
"""What a tensor may be; all others are float32."""
SHAPES: dict[str, tuple[int | None, ...]] = {
    IMAGES: (None, 3, None, None),
    ROIS: (None, 5),
    WIDE_OUTPUT: (None, 3, None, None),
    "masks": (None, 3, None, None),
    BINARY_OUTPUT: (None, 1, None, None),
    FOREGROUND_OUTPUT: (None, 1, None, None),
}
"""What is fixed of a tensor's shape; its first side must be free."""


class ModelError(Exception):
    """It isn't a model that keeps the tensor contract; the text says what is wrong."""


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """What a model says about itself.

    Attributes:
        source: where it lies, for messages.
        types: NumPy's names of its tensors' types; of those that the contract doesn't know, what they are called there.
        inputs: shapes by name; a size that isn't fixed is no number and not positive.
        outputs: the same.
        metadata: what the shapes can't say, as our exports write it; empty for others.
    """

    source: str
    types: Mapping[str, str]
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str]


def describe(spoken: ModelSignature, name: str, version: str, engine: str) -> tuple[ModelInfo, str]:
    """What a model is, and which of its outputs holds the masks.

    Models without our metadata (the seed's releases) are described by their shapes: the one static canvas, pictures
    stretched to it.

    Raises:
        ModelError: it doesn't keep the tensor contract.
    """
    if problems := refusals(spoken):
        raise ModelError(f"{spoken.source}: {'; '.join(problems)}")
    metadata, mask_output = spoken.metadata, mask_output_of(spoken)
    canvases, mask_size = _canvases(spoken), _mask_size(spoken)
    crop_scale = _extent(metadata) if mask_output == WIDE_OUTPUT else 1.0
    assert mask_output
    assert canvases
    assert mask_size
    assert crop_scale
    info = ModelInfo(
        ref=ModelRef(name, version, metadata.get("variant", variant_in(name)), engine),
        canvases=canvases,
        resize=Resize(metadata.get("resize", Resize.STRETCH)),
        mask_size=mask_size,
        takes_uint8=spoken.types[IMAGES] == "uint8",
        crop_scale=crop_scale,
        foreground_boxes=_written(metadata, "foreground_boxes") is True,
        cost_prior=_seed(metadata),
        card={key: _value(metadata[key]) for key in sorted(metadata)},
    )
    return info, mask_output


def refusals(spoken: ModelSignature) -> list[str]:
    """Everything that keeps a model from being served, a sentence each; nothing if it keeps the tensor contract."""
    mask_output = mask_output_of(spoken)
    found = []
    if set(spoken.inputs) != {IMAGES, ROIS}:
        found.append(f"inputs are {sorted(spoken.inputs)}, not images and rois")
    if mask_output is None or FOREGROUND_OUTPUT not in spoken.outputs:
        found.append(f"outputs are {sorted(spoken.outputs)}, not wide_masks, masks or instance_masks, and binary_masks")
    tensors = {**spoken.inputs, **spoken.outputs}
    for name in (IMAGES, ROIS, mask_output, FOREGROUND_OUTPUT):
        if name in tensors:
            found += _tensor_refusals(name, spoken.types[name], tensors[name])
    if "resize" in spoken.metadata and spoken.metadata["resize"] not in list(Resize):
        found.append(f"resize is {spoken.metadata['resize']!r} in its metadata, not {' or '.join(Resize)}")
    if "gmac" in spoken.metadata and not _gmac(spoken.metadata):
        found.append(f"gmac is {spoken.metadata['gmac']!r} in its metadata, not two numbers of 0 and up")
    if mask_output == WIDE_OUTPUT and not _extent(spoken.metadata):
        said = spoken.metadata.get("mask_extent")
        found.append(f"mask_extent is {said!r} in its metadata, not a number of 1 to {MOST_EXTENT:g}")
    if IMAGES in spoken.inputs and not _canvases(spoken):
        shape = spoken.inputs[IMAGES]
        found.append(f"the canvas is neither in its metadata nor in the shape of images ({shape})")
    if mask_output and not _mask_size(spoken):
        shape = spoken.outputs[mask_output]
        found.append(f"the mask size is neither in its metadata nor in the shape of {mask_output} ({shape})")
    return found


def mask_output_of(spoken: ModelSignature) -> str | None:
    """Which output holds the masks."""
    return next((output for output in MASK_OUTPUTS if output in spoken.outputs), None)


def variant_in(name: str) -> str:
    """The variant that a model's name tells: ``b1`` of ``hiseg_b1`` or ``best_model_b1_80x60_dil1``; else its end."""
    told = re.search(r"(?:^|[_-])(b\d+)(?=[_-]|$)", name)
    return told[1] if told else name.rpartition("_")[2]


def _tensor_refusals(name: str, dtype: str, shape: Shape) -> list[str]:
    found, allowed, sides = [], TYPES.get(name, ("float32",)), SHAPES[name]
    if dtype not in allowed:
        found.append(f"{name} are {dtype}, not {' or '.join(allowed)}")
    if not shape:
        return found  # not said, as of some outputs
    if len(shape) != len(sides):
        return [*found, f"{name} have {len(shape)} dimensions ({shape}), not {len(sides)}"]
    if _fixed(shape[0]):
        found.append(f"{name} are {shape[0]} at a time; batches need the first side free")
    for side, given in zip(sides, shape, strict=True):
        if side is not None and _fixed(given) not in (None, side):
            found.append(f"{name} have {given} channels ({shape}), not {side}")
    return found


def _fixed(side: Any) -> int | None:
    """A side that is a number; some exporters write static sides as symbolic ones with a name such as "128"."""
    if isinstance(side, str) and side.isdecimal():
        side = int(side)
    return side if isinstance(side, int) and side > 0 else None


def _canvases(spoken: ModelSignature) -> tuple[Size, ...]:
    written = _written(spoken.metadata, "canvases")
    shape = spoken.inputs[IMAGES]
    own = _size(shape[2:] if len(shape) == 4 else None)
    sizes = [_size(size) for size in written] if isinstance(written, list) else [own]
    return tuple(size for size in sizes if size)


def _mask_size(spoken: ModelSignature) -> Size | None:
    shape = spoken.outputs[mask_output_of(spoken) or ""]
    return _size(_written(spoken.metadata, "mask_size")) or _size(shape[2:] if len(shape) == 4 else None)


def _written(metadata: Mapping[str, str], key: str) -> Any:
    return _value(metadata[key]) if key in metadata else None


def _size(sides: Any) -> Size | None:
    if not isinstance(sides, list) or len(sides) != 2:
        return None
    height, width = map(_fixed, sides)
    return (height, width) if height and width else None


def _extent(metadata: Mapping[str, str]) -> float | None:
    written = _written(metadata, "mask_extent")
    return float(written) if type(written) in (int, float) and 1 <= written <= MOST_EXTENT else None


def _seed(metadata: Mapping[str, str]) -> Cost:
    gmac = _gmac(metadata)
    if gmac is None:
        return UNKNOWN_COST
    image, person = gmac
    return Cost(UNKNOWN_COST.constant, image * MS_PER_GMAC, person * MS_PER_GMAC)


def _gmac(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """Of an image and of a person."""
    written = _written(metadata, "gmac")
    pair = written if isinstance(written, list) and len(written) == 2 else []
    if not pair or not all(type(count) in (int, float) and 0 <= count < math.inf for count in pair):
        return None
    return pair[0], pair[1]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
