"""Names of upstream's filters, for those who don't want to load PyTorch yet."""

from __future__ import annotations

from enum import StrEnum


class BilateralType(StrEnum):
    """Names of the bilateral filters."""

    BILATERAL = "bilateral"
    FAST = "fast"
    EDGE_PRESERVING = "edge_preserving"
    BINARY_MASK = "binary_mask"
    MORPHOLOGICAL = "morphological"
