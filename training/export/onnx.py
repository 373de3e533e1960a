"""Writes a model as ONNX by the tensor contract, and refuses to if ONNX Runtime disagrees with PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch

from training.config import CANVASES
from training.models.hierarchical import HierarchicalModel

OPSET = 18
TOLERANCE = 1e-3
"""Largest difference of a logit, or of a probability, that is taken."""


class ParityError(Exception):
    """The exported file doesn't compute what the model computes."""


def export_onnx(model: HierarchicalModel, path: Path, metadata: dict[str, Any]) -> float:
    """Write ``path``: uint8 images; batch, people, height and width dynamic.

    Args:
        model: in eval mode.
        metadata: what the shapes cannot say; values that aren't text are written as JSON.

    Returns:
        The largest difference seen between PyTorch and ONNX Runtime.

    Raises:
        ParityError: it is over the tolerance.
    """
    model.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    batch, people = torch.export.Dim("batch", min=1), torch.export.Dim("people", min=0)
    height, width = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    images, rois = example((2, 3, 480, 640), 3)
    program = torch.onnx.export(
        model,
        (images, rois),
        dynamo=True,
        opset_version=OPSET,
        input_names=["images", "rois"],
        output_names=["masks", "binary_masks"],
        dynamic_shapes={"images": {0: batch, 2: height, 3: width}, "rois": {0: people}},
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, {k: v if isinstance(v, str) else json.dumps(v) for k, v in metadata.items()})
    onnx.checker.check_model(proto, full_check=True)
    onnx.save(proto, path)
    difference = parity(model, path)
    if difference > TOLERANCE:
        path.unlink()
        raise ParityError(f"ONNX Runtime and PyTorch differ by {difference:.2g}; at most {TOLERANCE:.0e} is taken")
    return difference


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
