"""Export a filter to ONNX with free batch, height and width, unless ONNX Runtime disagrees with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from hiseg_training.export.forms import OPSETS
from hiseg_training.export.onnx import quiet_exporter
from hiseg_training.export.parity import ParityError

SHAPES = ((1, 17, 23), (2, 48, 32), (3, 31, 64))
"""Shapes (batch, height, width) that each file is tried with."""
TOLERANCE = {torch.float32: 1e-4, torch.float16: 5e-3}
"""Largest difference between PyTorch and ONNX Runtime, by the filter's dtype."""
MAX_FLIPPED = {torch.float32: 1e-3, torch.float16: 1e-2}
"""Largest fraction of pixels that may differ in a filter that gives 0 and 1: those that lie on its threshold."""


def write_filter(
    module: nn.Module,
    path: Path,
    names: tuple[str, str],
    channels: int,
    numbers: Mapping[str, float] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write an ONNX file with input and output ``[batch, channels, height, width]``.

    Args:
        module: takes an image and then numbers of shape ``[1]``; its buffers' dtype is that of the image.
        path: of the file; its folder is created.
        names: of the image that is the input, and of the one that is the output.
        channels: of both images.
        numbers: names of the module's further inputs, with values to try them with.
        metadata: to store in the file.

    Raises:
        ParityError: ONNX Runtime disagrees with PyTorch; the file is deleted.
    """
    dtype = next(buffer.dtype for buffer in module.buffers())
    values = [torch.tensor([value]) for value in (numbers or {}).values()]
    inputs = [names[0], *(numbers or {})]
    height, width = torch.export.Dim("height", min=4), torch.export.Dim("width", min=4)
    free = {0: torch.export.Dim("batch", min=1), 2: height, 3: width}
    with quiet_exporter():
        program = torch.onnx.export(
            module.eval(),
            (_random_image(SHAPES[1], channels, dtype, seed=0), *values),
            dynamo=True,
            opset_version=OPSETS[0],
            input_names=inputs,
            output_names=[names[1]],
            dynamic_shapes=[free, *[None] * len(values)],
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, dict(metadata or {}))
    onnx.checker.check_model(proto, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, path)
    try:
        _compare(module, path, channels, dtype, values, inputs)
    except ParityError:
        path.unlink()
        raise


def _compare(
    module: nn.Module, path: Path, channels: int, dtype: torch.dtype, values: Sequence[torch.Tensor], inputs: list[str]
) -> None:
    """Run the file and the module on random images of :data:`SHAPES`; raise ``ParityError`` if they disagree."""
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    for seed, shape in enumerate(SHAPES):
        image = _random_image(shape, channels, dtype, seed)
        with torch.inference_mode():
            expected = module(image, *values)
        feed = {name: value.numpy() for name, value in zip(inputs, (image, *values), strict=True)}
        found = torch.from_numpy(session.run(None, feed)[0])
        if found.shape != expected.shape:
            raise ParityError(f"{path.name}: shapes differ: {tuple(expected.shape)} and {tuple(found.shape)}")
        difference = (found.float() - expected.float()).abs()
        share = float((difference > TOLERANCE[dtype]).float().mean())
        binary = bool(((expected == 0) | (expected == 1)).all())
        if share > (MAX_FLIPPED[dtype] if binary else 0):
            raise ParityError(
                f"{path.name}: ONNX Runtime and PyTorch differ by up to {float(difference.max()):.2g} in an image of "
                f"{shape[1]} x {shape[2]}; at most {TOLERANCE[dtype]:.0e} is taken"
            )


def _random_image(shape: tuple[int, int, int], channels: int, dtype: torch.dtype, seed: int) -> torch.Tensor:
    """Noise, 0..1 ``[batch, channels, height, width]`` in ``dtype``."""
    batch, height, width = shape
    values = np.random.default_rng(seed).uniform(0, 1, (batch, channels, height, width))
    return torch.from_numpy(values).to(dtype)
