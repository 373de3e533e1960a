"""Writes a filter as ONNX, every size of its picture free, and refuses to if ONNX Runtime disagrees with PyTorch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from torch import nn

from hiseg_training.export.onnx import OPSETS
from hiseg_training.export.parity import ParityError

SHAPES = ((1, 17, 23), (2, 48, 32), (3, 31, 64))
"""(batch, height, width) that each file is tried with."""
TOLERANCE = {torch.float32: 1e-4, torch.float16: 5e-3}
MOST_FLIPS = {torch.float32: 1e-3, torch.float16: 1e-2}
"""Share of the pixels of a filter that gives 0 and 1 that may differ: those that lie on its threshold."""


def write_filter(
    module: nn.Module,
    path: Path,
    names: tuple[str, str],
    channels: int,
    numbers: Mapping[str, float] | None = None,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write ``path``: ``[batch, channels, height, width]`` in and out.

    Args:
        module: takes a picture, then numbers of shape ``[1]``.
        path: its folder is made.
        names: of the picture that goes in, and of the one that comes out.
        channels: of both.
        numbers: the module's further inputs, with values to try it with.
        metadata: what the file says about itself.

    Raises:
        ParityError: ONNX Runtime disagrees with PyTorch.
    """
    dtype = next(buffer.dtype for buffer in module.buffers())
    given = [torch.tensor([value]) for value in (numbers or {}).values()]
    inputs = [names[0], *(numbers or {})]
    height, width = torch.export.Dim("height", min=4), torch.export.Dim("width", min=4)
    free = {0: torch.export.Dim("batch", min=1), 2: height, 3: width}
    program = torch.onnx.export(
        module.eval(),
        (_picture(SHAPES[1], channels, dtype, seed=0), *given),
        dynamo=True,
        opset_version=OPSETS[0],
        input_names=inputs,
        output_names=[names[1]],
        dynamic_shapes=[free, *[None] * len(given)],
        verbose=False,
    )
    assert program is not None
    proto = program.model_proto
    onnx.helper.set_model_props(proto, dict(metadata or {}))
    onnx.checker.check_model(proto, full_check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(proto, path)
    try:
        _compare(module, path, channels, dtype, given, inputs)
    except ParityError:
        path.unlink()
        raise


def _compare(
    module: nn.Module, path: Path, channels: int, dtype: torch.dtype, given: Sequence[torch.Tensor], inputs: list[str]
) -> None:
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    for seed, shape in enumerate(SHAPES):
        picture = _picture(shape, channels, dtype, seed)
        with torch.inference_mode():
            expected = module(picture, *given)
        feed = {name: value.numpy() for name, value in zip(inputs, (picture, *given), strict=True)}
        found = torch.from_numpy(session.run(None, feed)[0])
        if found.shape != expected.shape:
            raise ParityError(f"{path.name}: shapes differ: {tuple(expected.shape)} and {tuple(found.shape)}")
        difference = (found.float() - expected.float()).abs()
        share = float((difference > TOLERANCE[dtype]).float().mean())
        binary = bool(((expected == 0) | (expected == 1)).all())
        if share > (MOST_FLIPS[dtype] if binary else 0):
            raise ParityError(
                f"{path.name}: ONNX Runtime and PyTorch differ by up to {float(difference.max()):.2g} in a picture of "
                f"{shape[1]} x {shape[2]}; at most {TOLERANCE[dtype]:.0e} is taken"
            )


def _picture(shape: tuple[int, int, int], channels: int, dtype: torch.dtype, seed: int) -> torch.Tensor:
    batch, height, width = shape
    values = np.random.default_rng(seed).uniform(0, 1, (batch, channels, height, width))
    return torch.from_numpy(values).to(dtype)
