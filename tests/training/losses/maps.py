"""Random logits and labels for hypothesis, and the slow plain arithmetic that the losses are held against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

Array = npt.NDArray[Any]
seeds = st.integers(0, 2**32 - 1)


def draw(seed: int, classes: int = 3, shape: tuple[int, int, int] = (2, 5, 4)) -> tuple[Array, Array]:
    """Logits float32 ``[N, classes, h, w]`` up to about +-8, and labels int64 ``[N, h, w]``, often of few classes."""
    rng = np.random.default_rng(seed)
    people, height, width = shape
    logits = rng.normal(0, rng.choice([0.5, 4.0]), (people, classes, height, width)).astype(np.float32)
    labels = rng.integers(0, rng.integers(1, classes + 1), shape)
    return logits, labels


def blobs(seed: int, people: int = 2, height: int = 32, width: int = 24) -> Array:
    """Labels 0 to 2, int64 ``[N, h, w]``: a few rectangles, sometimes none, sometimes everything."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((people, height, width), dtype=np.int64)
    for plane in labels:
        for _ in range(rng.integers(0, 4)):
            (y1, y2), (x1, x2) = np.sort(rng.integers(0, height + 1, 2)), np.sort(rng.integers(0, width + 1, 2))
            plane[y1:y2, x1:x2] = rng.integers(0, 3)
        if rng.random() < 0.1:
            plane[:] = rng.integers(0, 3)
    return labels


def softmax(values: Array) -> Array:
    """Over the first axis, in float64."""
    powers = np.exp(values.astype(np.float64) - values.max(0))
    result: Array = powers / powers.sum(0)
    return result


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-np.float64(value))))


def nearest(mask: Array, y: int, x: int) -> float:
    """Distance from a pixel to the nearest one of ``mask`` ``[h, w]``; infinite if there is none."""
    found = [np.hypot(y - v, x - u) for v, u in zip(*np.nonzero(mask), strict=True)]
    return float(min(found, default=np.inf))
