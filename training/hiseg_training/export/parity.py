"""Checks that an exported file computes what its PyTorch model computes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import onnxruntime as ort
import torch
from torch import nn

TOLERANCE = 1e-3
"""Largest accepted absolute difference of a logit or a probability."""


class ParityError(Exception):
    """The exported file does not compute what the model computes."""


def worst_difference(reference: nn.Module, path: Path, runs: Iterable[Mapping[str, torch.Tensor]]) -> float:
    """Return the largest absolute difference between the outputs of PyTorch and ONNX Runtime.

    Args:
        reference: the model; it takes the inputs in their order and returns one tensor or several.
        path: the exported file, whose outputs have the same order.
        runs: the inputs of each run, by name.

    Raises:
        ParityError: the shapes of an output differ.
    """
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for inputs in runs:
        with torch.inference_mode():
            output = reference(*inputs.values())
        expected = (output,) if isinstance(output, torch.Tensor) else output
        found = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        for a, b in zip(expected, found, strict=True):
            if a.shape != b.shape:
                raise ParityError(f"shapes differ: {tuple(a.shape)} and {b.shape}")
            if a.numel():
                worst = max(worst, float((a - torch.from_numpy(b)).abs().max()))
    return worst
