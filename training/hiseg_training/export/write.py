"""Writes models and exported files as ONNX files in any form and precision, with complete metadata."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import onnx

from hiseg.engines.onnx_file import weights_of
from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.export.exporter import exporter
from hiseg_training.export.forms import Precision
from hiseg_training.export.onnx import ExportOptions, export_onnx, read_metadata, write_metadata
from hiseg_training.export.precision import (
    CALIBRATION_PHOTOS,
    ModelInputs,
    check_agreement,
    noise_inputs,
    photo_inputs,
    to_fp16,
    to_int8,
)
from hiseg_training.export.provenance import Provenance
from hiseg_training.inference.runner import open_onnx
from hiseg_training.models.hierarchical import HierarchicalModel

LEAST_PHOTOS = 4
"""Fewest photos to calibrate and check INT8 on: three to learn ranges from, and one that wasn't seen."""


def write_model(
    model: HierarchicalModel,
    output: Path,
    form: ExportOptions,
    precision: Precision,
    calibration: Sequence[Photo] = (),
    provenance: Provenance | None = None,
) -> str:
    """Export a model to ONNX.

    Args:
        model: in eval mode.
        output: the ``.onnx`` file, written only once it has passed all checks.
        form: options of the file.
        precision: of its weights and activations.
        calibration: photos of which some calibrate INT8, and others check it; other precisions need none.
        provenance: origin for the metadata; None writes none.

    Returns:
        A sentence about how the file was compared, and the outcome.

    Raises:
        ParityError: the file computes something else than the model.
        ValueError: INT8 is asked for and there are fewer than :data:`LEAST_PHOTOS`.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.onnx"
        metadata = describe(model, form) | (provenance.facts() if provenance else {})
        difference = export_onnx(model, exported, metadata, form)
        write_metadata(exported, read_metadata(exported) | {"onnx_max_difference": f"{difference:.2g}"})
        outcome = f"PyTorch and ONNX Runtime differ by {difference:.1e} at most"
        if precision is not Precision.FP32:
            outcome += f"; {convert(exported, exported, precision, calibration)}"
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(exported, output)
    return outcome


def convert(source: Path, output: Path, precision: Precision, calibration: Sequence[Photo] = ()) -> str:
    """Convert an exported file to another precision; arguments and result as of :func:`write_model`.

    Raises:
        ModelError: the exported file can't be opened, or breaks the tensor contract.
        ValueError: it is in INT8, which can't be undone.
        Exception: what :func:`write_model` raises.
    """
    open_onnx(source, ["CPUExecutionProvider"])  # which says what is wrong with it
    if weights_of(source) == Precision.INT8:
        raise ValueError(f"precision: {source} is in int8, of which no {precision} file can be made")
    metadata = read_metadata(source)
    (images,) = (tensor for tensor in onnx.load(source).graph.input if tensor.name == "images")
    is_uint8 = images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    form = ExportOptions(canvases=_canvases(metadata), dtype="uint8" if is_uint8 else "float32")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        runs: Iterator[ModelInputs]
        if precision is Precision.INT8:
            to_learn, to_check = divide_photos(calibration, len(form.canvases))
            to_int8(source, made, photo_inputs(to_learn, form.canvases, form.dtype))
            runs = photo_inputs(to_check, form.canvases, form.dtype)
        else:
            to_fp16(source, made)
            runs = noise_inputs(form.canvases, form.dtype)
        share = check_agreement(source, made, precision, runs)
        write_metadata(made, metadata | {"precision": precision.value})
        shutil.move(made, output)
    return f"{share:.2%} of the masks' cells are decided as in FP32"


def describe(model: HierarchicalModel, form: ExportOptions) -> dict[str, Any]:
    """Return the metadata of an exported model: what the shapes in the file cannot say."""
    config, graph = model.config, form.graph
    compute = complexity(model, masks=graph.has_masks, foreground=graph.has_foreground)
    metadata: dict[str, Any] = {"variant": config.variant, "canvases": form.canvases, "resize": "letterbox"}
    if graph.has_masks:
        metadata |= {
            "roi_size": config.roi_size,
            "mask_size": config.mask_size,
            "mask_extent": config.context,
            "class_names": ["background", "target", "other people"],
        }
    metadata |= {"config": config.to_dict(), "precision": Precision.FP32.value}
    metadata["gmac"] = [round(compute.gmac_per_image, 3), round(compute.gmac_per_person, 3)]
    if form.dilation_pixels:
        metadata["dilation_pixels"] = form.dilation_pixels
    return metadata | exporter(Path(__file__).parent.parent)


def check_photos(precision: Precision, calibration: Sequence[Photo]) -> None:
    """Check that there are photos for a precision that needs some.

    Raises:
        ValueError: it is INT8, and there are fewer photos than :data:`LEAST_PHOTOS`.
    """
    if precision is Precision.INT8 and len(calibration) < LEAST_PHOTOS:
        raise ValueError(
            f"precision: int8 is calibrated and checked on {LEAST_PHOTOS} photos or more, not {len(calibration)}"
        )


def divide_photos(photos: Sequence[Photo], checks: int, seed: int = 0) -> tuple[list[Photo], list[Photo]]:
    """Choose random photos to calibrate INT8 on and others to check it on, the same ones for the same seed.

    Args:
        photos: to choose from.
        checks: number of photos to check on, fewer where these would be over a quarter of all.
        seed: of the random choice.

    Raises:
        ValueError: there are fewer photos than :data:`LEAST_PHOTOS`.
    """
    check_photos(Precision.INT8, photos)
    chosen = random.Random(seed).sample(photos, min(CALIBRATION_PHOTOS + checks, len(photos)))
    checks = min(checks, len(chosen) // LEAST_PHOTOS)
    return chosen[:-checks], chosen[-checks:]


def _canvases(metadata: dict[str, str]) -> tuple[tuple[int, int], ...]:
    return tuple((height, width) for height, width in json.loads(metadata["canvases"]))
