"""Writes a model as ONNX by the tensor contract, and refuses to if ONNX Runtime disagrees with PyTorch."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import onnxruntime as ort
import torch
from onnxscript import opset18 as op
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.config import CANVASES
from training.models.hierarchical import HierarchicalModel
from training.models.roi import SAMPLES

OPSET = 18
TOLERANCE = 1e-3
"""Largest difference of a logit, or of a probability, that is taken."""


class ParityError(Exception):
    """The exported file doesn't compute what the model computes."""


def export_onnx(model: HierarchicalModel, path: Path, metadata: dict[str, Any]) -> float:
    """Write ``path``: uint8 images; batch, people, height and width dynamic.

    Args:
        model: in eval mode.
        metadata: what the shapes cannot say; see :func:`write_metadata`.

    Returns:
        The largest difference seen between PyTorch and ONNX Runtime.

    Raises:
        ParityError: it is over the tolerance.
    """
    folded = fold_batch_norms(model)
    batch, people = torch.export.Dim("batch", min=1), torch.export.Dim("people", min=0)
    height, width = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    images, rois = example((2, 3, 480, 640), 3)
    program = torch.onnx.export(
        folded,
        (images, rois),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images", "rois"],
        output_names=["masks", "binary_masks"],
        dynamic_shapes={"images": {0: batch, 2: height, 3: width}, "rois": {0: people}},
        custom_translation_table={torch.ops.hiseg.onnx_roi_align.default: _roi_align},
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)
    write_metadata(path, metadata)
    difference = parity(model, path)
    if difference > TOLERANCE:
        path.unlink()
        raise ParityError(f"ONNX Runtime and PyTorch differ by {difference:.2g}; at most {TOLERANCE:.0e} is taken")
    return difference


def write_metadata(path: Path, metadata: dict[str, Any]) -> None:
    """Replace what an exported file says about itself; values that aren't text are written as JSON."""
    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()})
    onnx.save(proto, path)


def fold_batch_norms(model: HierarchicalModel) -> HierarchicalModel:
    """A copy in which each batch norm is part of the convolution before it, so that none is left in the graph."""
    folded = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for block in folded.modules():
        if isinstance(block, nn.Sequential):
            for index in range(len(block) - 1):
                convolution, norm = block[index], block[index + 1]
                if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    block[index], block[index + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    return cast(HierarchicalModel, folded)


def _roi_align(features: Any, boxes: Any, index: Any, height: int, width: int) -> Any:
    return op.RoiAlign(
        features,
        boxes,
        index,
        mode="avg",
        coordinate_transformation_mode="half_pixel",
        output_height=height,
        output_width=width,
        sampling_ratio=SAMPLES,
        spatial_scale=1.0,
    )


def example(shape: tuple[int, int, int, int], people: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Smooth random images uint8 ``shape`` and RoIs ``[people, 5]`` spread over them."""
    rng = np.random.default_rng(seed)
    coarse = torch.from_numpy(rng.uniform(0, 255, (shape[0], 3, 12, 12)).astype(np.float32))
    images = torch.nn.functional.interpolate(coarse, size=shape[2:], mode="bicubic").clamp(0, 255).to(torch.uint8)
    corners = np.sort(rng.uniform(0, 1, (people, 2, 2)), axis=1).reshape(people, 4)
    rois = np.concatenate([rng.integers(0, shape[0], (people, 1)), corners], axis=1).astype(np.float32)
    return images, torch.from_numpy(rois)


def parity(model: HierarchicalModel, path: Path) -> float:
    """Largest difference between PyTorch and ONNX Runtime over every canvas, 1 and 2 images, 0, 1 and 5 people."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for seed, canvas in enumerate(CANVASES):
        for images_count, people in ((1, 0), (1, 1), (2, 5)):
            images, rois = example((images_count, 3, *canvas), people, seed)
            with torch.inference_mode():
                expected = model(images, rois)
            found = session.run(["masks", "binary_masks"], {"images": images.numpy(), "rois": rois.numpy()})
            for a, b in zip(expected, found, strict=True):
                if a.shape != b.shape:
                    raise ParityError(f"shapes differ: {tuple(a.shape)} and {b.shape}")
                if a.numel():
                    worst = max(worst, float((a - torch.from_numpy(b)).abs().max()))
    return worst
