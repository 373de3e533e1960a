"""From a model, or a file that was exported, to a file of any form and precision, which says all about itself."""

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
from hiseg_training.models.hierarchical import HierarchicalModel


def write_model(
    model: HierarchicalModel,
    output: Path,
    form: ExportOptions,
    precision: Precision,
    data: Path,
    provenance: Provenance | None = None,
) -> str:
    """Write a model as ONNX.

    Args:
        model: in eval mode.
        output: the ``.onnx`` file; it appears when all is well with it.
        form: what is chosen of it.
        precision: of its numbers.
        data: photographs to calibrate INT8 on; their ``train`` split.
        provenance: what the file is to say of its origin; None says nothing.

    Returns:
        How it was compared, and with what outcome, for people.

    Raises:
        ParityError: it computes something else.
        FileNotFoundError: INT8 is asked for and there are no photographs.
    """
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.onnx"
        metadata = describe(model, form) | (provenance.facts() if provenance else {})
        difference = export_onnx(model, exported, metadata, form)
        write_metadata(exported, read_metadata(exported) | {"onnx_max_difference": f"{difference:.2g}"})
        said = f"PyTorch and ONNX Runtime differ by {difference:.1e} at most"
        if precision is not Precision.FP32:
            said += f"; {convert(exported, exported, precision, data)}"
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(exported, output)
    return said


def convert(source: Path, output: Path, precision: Precision, data: Path) -> str:
    """Write an exported FP32 file in another precision; the rest is as in :func:`write_model`."""
    metadata = read_metadata(source)
    taken = onnx.load(source).graph.input[0].type.tensor_type.elem_type
    form = ExportOptions(canvases=_canvases(metadata), dtype="uint8" if taken == onnx.TensorProto.UINT8 else "float32")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.onnx"
        asked: Iterator[ModelInputs]
        if precision is Precision.INT8:
            photos = sample(data, CALIBRATION_PHOTOS + len(form.canvases))
            to_int8(source, made, photo_inputs(photos[:CALIBRATION_PHOTOS], form.canvases, form.dtype))
            asked = photo_inputs(photos[CALIBRATION_PHOTOS:], form.canvases, form.dtype)
        else:
            to_fp16(source, made)
            asked = noise_inputs(form.canvases, form.dtype)
        share = check_agreement(source, made, precision, asked)
        write_metadata(made, metadata | {"precision": precision.value})
        shutil.move(made, output)
    return f"{share:.2%} of the masks' cells are decided as in FP32"


def describe(model: HierarchicalModel, form: ExportOptions) -> dict[str, Any]:
    """What the shapes of a model's file can't say."""
    config, compute = model.config, complexity(model)
    said: dict[str, Any] = {
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
        said["dilation_pixels"] = form.dilation_pixels
    if commit := checkout_commit(Path(__file__)):
        said["export_commit"] = commit
    return said


def sample(data: Path, count: int, seed: int = 0) -> list[Photo]:
    """So many photographs of ``train``, the same ones each time."""
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
