"""How large batches may get: what operators set, and every batcher goes by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """How large a batch may be.

    Attributes:
        budget_ms: predicted cost up to which jobs are put together; a larger job runs alone.
        images: most images.
        rois: most boxes; a job with more is refused.
        bytes: most bytes of image input; a single image is always allowed.
        wait_ms: longest predicted wait with which a job is let in.
    """

    budget_ms: float = 50.0
    images: int = 16
    rois: int = 128
    bytes: int = 64 * 1024 * 1024
    wait_ms: float = 2000.0
