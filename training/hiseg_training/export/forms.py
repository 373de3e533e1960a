"""What an exported model may be asked for: number format, opset, type of images. It loads no library."""

from __future__ import annotations

from enum import StrEnum

OPSETS = (18, 19, 20, 21)
"""Opsets that both PyTorch's exporter and the tested release of Triton support."""
DTYPES = ("uint8", "float32")


class Precision(StrEnum):
    """Number format of weights and of what is computed with them."""

    FP32 = "fp32"
    FP16 = "fp16"
    INT8 = "int8"
