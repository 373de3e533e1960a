"""What an exported model may be asked for: outputs, number format, opset, type of images. It loads no library."""

from __future__ import annotations

from enum import StrEnum

OPSETS = (18, 19, 20, 21)
"""Opsets that both PyTorch's exporter and the tested release of Triton support."""
DTYPES = ("uint8", "float32")


class Graph(StrEnum):
    """What a file computes. Runtimes compute all outputs of a file, whichever are asked for."""

    MASKS = "masks"
    """A mask for each box: images and RoIs in, ``masks`` and ``wide_masks`` out; the coarse stage isn't in it."""
    FOREGROUND = "foreground"
    """Where anybody is: images in, ``binary_masks`` out; the fine stage isn't in it."""
    BOTH = "both"
    """Everything, as upstream's files (PINTO0309's human-instance-segmentation)."""

    @property
    def has_masks(self) -> bool:
        """Whether it takes RoIs and gives masks."""
        return self is not Graph.FOREGROUND

    @property
    def has_foreground(self) -> bool:
        """Whether it gives the foreground."""
        return self is not Graph.MASKS


class Precision(StrEnum):
    """Number format of weights and of what is computed with them."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
