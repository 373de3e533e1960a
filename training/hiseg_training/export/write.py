"""Writes models and exported files as ONNX files in any form and precision, with complete metadata."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx

from hiseg_training.data.coco import Photo, read_split
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.export.onnx import ExportOptions, export_onnx, read_metadata, write_metadata
from hiseg_training.export.precision import (
    CALIBRATION_PHOTOS,
    ModelInputs,
    Precision,
    check_agreement,
    noise_inputs,
    photo_inputs,
    to_fp16,
    to_int8,
)
from hiseg_training.export.provenance import Provenance
from hiseg_training.inference.runner import open_onnx
from hiseg_training.models.hierarchical import HierarchicalModel


def write_model(
    model: HierarchicalModel,
    output: Path,
    form: ExportOptions,
    precision: Precision,
    data: Path,
    provenance: Provenance | None = None,
) -> str:
    """Export a model to ONNX.

    Args:
        model: in eval mode.
        output: the ``.onnx`` file, written only once it has passed all checks.
        form: options of the file.
        precision: of its weights and activations.
        data: data root, whose ``train`` photos calibrate INT8.
        provenance: origin for the metadata; None writes none.

    Returns:
        A sentence about how the file was compared, and the outcome.

    Raises:
        ParityError: the file computes something else than the model.
        FileNotFoundError: INT8 is asked for and there are no photos.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.onnx"
        metadata = describe(model, form) | (provenance.facts() if provenance else {})
        difference = export_onnx(model, exported, metadata, form)
        write_metadata(exported, read_metadata(exported) | {"onnx_max_difference": f"{difference:.2g}"})
        outcome = f"PyTorch and ONNX Runtime differ by {difference:.1e} at most"
        if precision is not Precision.FP32:
            outcome += f"; {convert(exported, exported, precision, data)}"
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(exported, output)
    return outcome


def convert(source: Path, output: Path, precision: Precision, data: Path) -> str:
    """Convert an exported FP32 file to another precision; arguments and result as of :func:`write_model`.

    Raises:
        ModelError: the exported file can't be opened, or breaks the tensor contract.
        Exception: what :func:`write_model` raises.
    """
    open_onnx(source, ["CPUExecutionProvider"])  # which says what is wrong with it
    metadata = read_metadata(source)
    image_type = onnx.load(source).graph.input[0].type.tensor_type.elem_type
    form = ExportOptions(
        canvases=_canvases(metadata), dtype="uint8" if image_type == onnx.TensorProto.UINT8 else "float32"
    )
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        runs: Iterator[ModelInputs]
        if precision is Precision.INT8:
            photos = sample(data, CALIBRATION_PHOTOS + len(form.canvases))
            to_int8(source, made, photo_inputs(photos[:CALIBRATION_PHOTOS], form.canvases, form.dtype))
            runs = photo_inputs(photos[CALIBRATION_PHOTOS:], form.canvases, form.dtype)
        else:
            to_fp16(source, made)
            runs = noise_inputs(form.canvases, form.dtype)
        share = check_agreement(source, made, precision, runs)
        write_metadata(made, metadata | {"precision": precision.value})
        shutil.move(made, output)
    return f"{share:.2%} of the masks' cells are decided as in FP32"


def describe(model: HierarchicalModel, form: ExportOptions) -> dict[str, Any]:
    """Return the metadata of an exported model: what the shapes in the file cannot say."""
    config, compute = model.config, complexity(model)
    metadata: dict[str, Any] = {
        "variant": config.variant,
        "canvases": form.canvases,
        "resize": "letterbox",
        "roi_size": config.roi_size,
        "mask_size": config.mask_size,
        "mask_extent": config.context,
        "foreground_boxes": config.coarse_boxes,
        "class_names": ["background", "target", "other people"],
        "config": config.to_dict(),
        "gmac": [round(compute.gmac_per_image, 3), round(compute.gmac_per_person, 3)],
        "precision": Precision.FP32.value,
    }
    if form.dilation_pixels:
        metadata["dilation_pixels"] = form.dilation_pixels
    if commit := checkout_commit(Path(__file__)):
        metadata["export_commit"] = commit
    return metadata


def sample(data: Path, count: int, seed: int = 0) -> list[Photo]:
    """Return ``count`` random photos of the ``train`` split, the same for the same seed."""
    photos = read_split(data, "train")
    return random.Random(seed).sample(photos, min(count, len(photos)))


def _canvases(metadata: dict[str, str]) -> tuple[tuple[int, int], ...]:
    return tuple((height, width) for height, width in json.loads(metadata["canvases"]))


def checkout_commit(file: Path) -> str:
    """Return the abbreviated commit of the checkout of this project that a source file is part of.

    Returns:
        The commit; empty where the file is not tracked by a checkout of this project, as after an installation: that
        may lie inside another project's checkout, whose commit says nothing about the exporter.
    """
    try:
        top = Path(_git(file.parent, "rev-parse", "--show-toplevel"))
        _git(file.parent, "ls-files", "--error-unmatch", file.name)
        project = tomllib.loads((top / "pyproject.toml").read_text())
        return _git(top, "rev-parse", "--short", "HEAD") if project["project"]["name"] == "hiseg" else ""
    except (OSError, subprocess.CalledProcessError, tomllib.TOMLDecodeError, KeyError):
        return ""


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()
