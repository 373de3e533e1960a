"""Whether a file computes what the model computes that it was made of; if not, it isn't written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import onnxruntime as ort
import torch
from torch import nn

TOLERANCE = 1e-3
"""Largest difference of a logit, or of a probability, that is taken."""


class ParityError(Exception):
    """The exported file doesn't compute what the model computes."""


def worst_difference(reference: nn.Module, path: Path, asked: Iterable[Mapping[str, torch.Tensor]]) -> float:
    """Largest difference between PyTorch and ONNX Runtime.

    Args:
        reference: takes the inputs in their order, gives one tensor or several.
        path: the file; its outputs have the same order.
        asked: inputs by name.

    Raises:
        ParityError: a shape differs.
    """
    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    worst = 0.0
    for given in asked:
        with torch.inference_mode():
            answer = reference(*given.values())
        expected = (answer,) if isinstance(answer, torch.Tensor) else answer
        found = session.run(None, {name: value.numpy() for name, value in given.items()})
        for a, b in zip(expected, found, strict=True):
            if a.shape != b.shape:
                raise ParityError(f"shapes differ: {tuple(a.shape)} and {b.shape}")
            if a.numel():
                worst = max(worst, float((a - torch.from_numpy(b)).abs().max()))
    return worst
