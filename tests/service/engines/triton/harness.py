"""Batches for the fragile model whose results a test can recognise as its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.harness.triton.models import FRAGILE_CANVAS
from hiseg.engines.base import Batch, BatchMeta, Prediction
from hiseg.engines.triton.endpoint import Endpoint
from hiseg.engines.triton.engine import TritonEngine

NOTHING = Path("/nonexistent")
"""A local repository without canaries."""


def endpoint(engine: TritonEngine, address: str) -> Endpoint:
    return engine.endpoints[address]


def marked(marker: int, rois: int = 2, meta: BatchMeta | None = None) -> Batch:
    """For the fragile model: its rows can be told from all others."""
    rows = np.zeros((rois, 5), dtype=np.float32)
    rows[:, 1] = marker + np.arange(rois) / 1000
    return Batch(np.full((1, 3, *FRAGILE_CANVAS), marker, dtype=np.uint8), rows, meta or BatchMeta())


def assert_own(made: Prediction, batch: Batch) -> None:
    np.testing.assert_allclose(
        made.logit_margins, np.broadcast_to(batch.rois[:, 1, None, None] + 1, made.logit_margins.shape)
    )
    assert len(made.logit_margins) == len(batch.rois)
    np.testing.assert_allclose(made.foreground, batch.images[:, 0].astype(np.float32) / 255, rtol=1e-6)
