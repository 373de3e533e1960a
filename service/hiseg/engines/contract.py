"""The tensor contract: what a model must have to be served, and how its metadata says the rest, on every engine."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

from hiseg.core.canvas import Resize
from hiseg.core.errors import shorten
from hiseg.core.image import Size
from hiseg.core.result import ModelRef
from hiseg.engines.base import UNKNOWN_COST, Cost, ModelInfo, Outputs
from hiseg.engines.metadata import metadata_value, one_line, parse, size_violations

IMAGES, ROIS = "images", "rois"
WIDE_OUTPUT = "wide_masks"
BINARY_OUTPUT = "instance_masks"
MASK_OUTPUTS = (WIDE_OUTPUT, "masks", BINARY_OUTPUT)
"""Names of mask outputs, in the order of preference. Wide masks cover more than the box: detectors cut off hands and
feet."""
FOREGROUND_OUTPUT = "binary_masks"
BOXES_OUTPUT = "boxes"
"""What makes a graph without masks a finder: rows ``batch_index x1 y1 x2 y2 score``, 0..1 of the canvas, in any order,
duplicates suppressed."""
MAX_CROP_SCALE = 2.0
"""Upper limit of the metadata ``mask_extent``: what masks cover beyond their boxes takes memory too."""
MAX_CANVASES = 64
"""Most canvases of a model: it is warmed up on each."""
MAX_CANVAS_PIXELS = 2**23
"""Largest canvas, in pixels: 2160 x 3840 fits."""
MAX_MASK_PIXELS = 2**20
"""Most logits of one person, in pixels."""
MAX_GMAC = 10_000.0
"""Upper limit of the metadata ``gmac``; B7 has some tens."""
MAX_DIGITS = 9
"""Most digits of a side that is given as text."""
PRECISIONS = ("fp32", "fp16", "int8")
"""What weights can be stored in."""
VARIANT = re.compile(r"[A-Za-z0-9._-]{1,40}")
MS_PER_GMAC = 15.0
"""Milliseconds for a billion multiply-accumulates on two CPU cores: the start of the cost model, which then learns."""
Shape = list[Any]
"""Sides of a tensor as a runtime gives them: a number, or a name or -1 for a side of any length."""
TYPES = {IMAGES: ("uint8", "float32")}
"""NumPy names of the types that a tensor may have; all other tensors are float32."""
SHAPES: dict[str, tuple[int | None, ...]] = {
    IMAGES: (None, 3, None, None),
    ROIS: (None, 5),
    WIDE_OUTPUT: (None, 3, None, None),
    "masks": (None, 3, None, None),
    BINARY_OUTPUT: (None, 1, None, None),
    FOREGROUND_OUTPUT: (None, 1, None, None),
    BOXES_OUTPUT: (None, 6),
}
"""Required sides of each tensor; None: any length. The first side must not be fixed."""


class ModelError(Exception):
    """A file or a served model doesn't keep the tensor contract; the text says why, in one line."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


@dataclass(frozen=True, slots=True)
class ModelSignature:
    """Inputs, outputs and metadata of a model, as read from its file or from a server.

    Attributes:
        source: path or address of the model, for messages.
        types: type of each tensor by NumPy's name, or by the runtime's own where the contract has no such type.
        inputs: shape of each input.
        outputs: shape of each output; empty where the runtime doesn't say.
        metadata: what shapes can't express, as our exports write it; empty for models from elsewhere.
        weights: precision of the weights, one of :data:`PRECISIONS`, by types; empty if the runtime doesn't say it.
    """

    source: str
    types: Mapping[str, str]
    inputs: Mapping[str, Shape]
    outputs: Mapping[str, Shape]
    metadata: Mapping[str, str]
    weights: str = ""

    @property
    def precision(self) -> str:
        """One of :data:`PRECISIONS`; empty if unknown. Types go first, since tools that quantise only copy metadata."""
        said = self.metadata.get("precision", "")
        return self.weights or (said if said in PRECISIONS else "")


def describe(signature: ModelSignature, name: str, version: str, engine: str) -> tuple[ModelInfo, str | None]:
    """Describe a model by its signature.

    Models without our metadata, such as upstream's releases, are described by their shapes: they have one canvas, and
    images are stretched to it.

    Args:
        signature: inputs, outputs and metadata of the model.
        name: name of the model in the repository.
        version: its version there.
        engine: name of the engine that runs it.

    Returns:
        The description, and the name of the output that holds the masks; None: the model has none.

    Raises:
        ModelError: the model doesn't keep the tensor contract.
    """
    violations = contract_violations(signature)
    metadata, mask_output = signature.metadata, mask_output_of(signature)
    mask_size = _mask_size(signature)
    crop_scale = _crop_scale(metadata) if mask_output == WIDE_OUTPUT else 1.0
    if violations or mask_size is None or crop_scale is None:
        raise ModelError(f"{signature.source}: {'; '.join(violations)}")
    info = ModelInfo(
        ref=ModelRef(name, version, metadata.get("variant", variant_of_name(name)), engine, signature.precision),
        canvases=_canvases(signature),
        resize=Resize(metadata.get("resize", Resize.STRETCH)),
        mask_size=mask_size,
        takes_uint8=signature.types[IMAGES] == "uint8",
        crop_scale=crop_scale,
        outputs=outputs_of(signature.outputs),
        cost_prior=_cost_prior(metadata),
        card={key: parse(metadata[key]) for key in sorted(metadata)},
    )
    return info, mask_output


def contract_violations(signature: ModelSignature) -> list[str]:
    """Everything that keeps a model from being served, one sentence each; empty if it keeps the tensor contract."""
    mask_output = mask_output_of(signature)
    metadata, found = signature.metadata, size_violations(signature.metadata)
    inputs, names = set(signature.inputs), shorten(str(sorted(signature.outputs)))
    if mask_output is None and (ROIS in inputs or FOREGROUND_OUTPUT not in signature.outputs):
        found.append(f"outputs are {names}, not wide_masks, masks or instance_masks, nor binary_masks of images alone")
    if inputs != ({IMAGES} if mask_output is None else {IMAGES, ROIS}) and inputs != {IMAGES, ROIS}:
        found.append(f"inputs are {shorten(str(sorted(inputs)))}, not images, and rois where there are masks")
    tensors = {**signature.inputs, **signature.outputs}
    for name in (IMAGES, ROIS, mask_output, FOREGROUND_OUTPUT, None if mask_output else BOXES_OUTPUT):
        if name in tensors:
            found += _tensor_violations(name, signature.types[name], tensors[name])
    if "resize" in metadata and metadata["resize"] not in list(Resize):
        found.append(f"resize is {_quoted(metadata['resize'])} in its metadata, not {' or '.join(Resize)}")
    if "variant" in metadata and not VARIANT.fullmatch(metadata["variant"]):
        found.append(f"variant is {_quoted(metadata['variant'])} in its metadata, not 1 to 40 letters and digits")
    if "gmac" in metadata and not _gmac(metadata):
        found.append(f"gmac is {_quoted(metadata['gmac'])} in its metadata, not two numbers of 0 to {MAX_GMAC:g}")
    if mask_output == WIDE_OUTPUT and not _crop_scale(metadata):
        value = metadata.get("mask_extent")
        found.append(f"mask_extent is {_quoted(value)} in its metadata, not a number of 1 to {MAX_CROP_SCALE:g}")
    if IMAGES in signature.inputs:
        found += _canvas_violations(signature)
    if mask_output:
        shape, size = shorten(str(signature.outputs[mask_output])), _mask_size(signature)
        if size is None:
            found.append(f"the mask size is neither in its metadata nor in the shape of {mask_output} ({shape})")
        elif size[0] * size[1] > MAX_MASK_PIXELS:
            found.append(f"{_sides(size)} is the mask size; at most {MAX_MASK_PIXELS} pixels are taken")
    return found


def _canvas_violations(signature: ModelSignature) -> list[str]:
    canvases = _canvases(signature)
    if not canvases:
        shape = shorten(str(signature.inputs[IMAGES]))
        return [f"the canvas is neither in its metadata nor in the shape of images ({shape})"]
    if len(canvases) > MAX_CANVASES:
        return [f"there are {len(canvases)} canvases in its metadata; at most {MAX_CANVASES} are taken"]
    large = (size for size in canvases if size[0] * size[1] > MAX_CANVAS_PIXELS)
    return [f"{_sides(size)} is a canvas; at most {MAX_CANVAS_PIXELS} pixels are taken" for size in large]


def _quoted(value: str | None) -> str:
    return "None" if value is None else shorten(repr(value))


def _sides(size: Size) -> str:
    return shorten(f"{size[0]} x {size[1]}")


def outputs_of(names: Container[str]) -> Outputs:
    """What a graph computes whose outputs have these names; boxes are what they should be in a graph without masks."""
    found = Outputs.MASKS if any(name in names for name in MASK_OUTPUTS) else Outputs(0)
    if BOXES_OUTPUT in names and not found:
        found = Outputs.BOXES
    return found | Outputs.FOREGROUND if FOREGROUND_OUTPUT in names else found


def mask_output_of(signature: ModelSignature) -> str | None:
    """Name of the output that holds the masks; None if the model has none."""
    return next((output for output in MASK_OUTPUTS if output in signature.outputs), None)


def variant_of_name(name: str) -> str:
    """The variant in a model's name: ``b1`` of ``hiseg_b1`` or ``best_model_b1_80x60_dil1``; else its last part."""
    found = re.search(r"(?:^|[_-])(b\d+)(?=[_-]|$)", name)
    return found[1] if found else name.rpartition("_")[2]


def _tensor_violations(name: str, dtype: str, shape: Shape) -> list[str]:
    found, allowed, required = [], TYPES.get(name, ("float32",)), SHAPES[name]
    if dtype not in allowed:
        found.append(f"{name} are {dtype}, not {' or '.join(allowed)}")
    if not shape:
        return found  # the runtime doesn't say, as for some outputs
    if len(shape) != len(required):
        return [*found, f"{name} have {len(shape)} dimensions ({shorten(str(shape))}), not {len(required)}"]
    if _fixed(shape[0]):
        found.append(f"{name} are {shape[0]} at a time; batches need the first side free")
    for wanted, side in zip(required, shape, strict=True):
        if wanted is not None and _fixed(side) not in (None, wanted):
            found.append(f"{name} have {shorten(str(side))} channels ({shorten(str(shape))}), not {wanted}")
    return found


def _fixed(side: Any) -> int | None:
    """The length of a side if it is fixed; some exporters write it as a symbolic side with a name such as "128"."""
    if isinstance(side, str) and side.isdecimal() and len(side) <= MAX_DIGITS:
        side = int(side)
    return side if type(side) is int and side > 0 else None


def _canvases(signature: ModelSignature) -> tuple[Size, ...]:
    listed = metadata_value(signature.metadata, "canvases")
    own = _spatial_size(signature.inputs.get(IMAGES, []))
    sizes = [_size(size) for size in listed] if isinstance(listed, list) else [own]
    return tuple(size for size in sizes if size)


def _mask_size(signature: ModelSignature) -> Size | None:
    if mask_output_of(signature) is None:
        return 0, 0
    listed = _size(metadata_value(signature.metadata, "mask_size"))
    return listed or _spatial_size(signature.outputs.get(mask_output_of(signature) or "", []))


def _spatial_size(shape: Shape) -> Size | None:
    """Height and width of a tensor of four dimensions, if both are fixed."""
    return _size(shape[2:]) if len(shape) == 4 else None


def _size(sides: Any) -> Size | None:
    if not isinstance(sides, list) or len(sides) != 2:
        return None
    height, width = map(_fixed, sides)
    return (height, width) if height and width else None


def _crop_scale(metadata: Mapping[str, str]) -> float | None:
    value = metadata_value(metadata, "mask_extent")
    return float(value) if type(value) in (int, float) and 1 <= value <= MAX_CROP_SCALE else None


def _cost_prior(metadata: Mapping[str, str]) -> Cost:
    gmac = _gmac(metadata)
    if gmac is None:
        return UNKNOWN_COST
    image, person = gmac
    return Cost(UNKNOWN_COST.constant, image * MS_PER_GMAC, person * MS_PER_GMAC)


def _gmac(metadata: Mapping[str, str]) -> tuple[float, float] | None:
    """Billions of multiply-accumulates for an image and for a person, if the metadata says them."""
    value = metadata_value(metadata, "gmac")
    pair = value if isinstance(value, list) and len(value) == 2 else []
    if not pair or not all(type(count) in (int, float) and 0 <= count <= MAX_GMAC for count in pair):
        return None
    return pair[0], pair[1]
