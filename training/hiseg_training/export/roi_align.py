"""Translates the project's RoI Align to ONNX: of uint8 canvases only what some box needs is converted to float."""

from __future__ import annotations

from typing import Any

from onnx import TensorProto
from onnxscript import ir, opset18

from hiseg_training.models.roi import SAMPLES

op: Any = opset18  # whose types know nothing of the numbers that it makes tensors of


def roi_align_in_onnx(features: Any, boxes: Any, index: Any, height: int, width: int) -> Any:
    """Translate the project's RoI Align operator to ONNX's ``RoiAlign``, which takes floats only."""
    if features.dtype == ir.DataType.UINT8:
        features, boxes = _covered_part(features, boxes)
    return op.RoiAlign(
        features,
        boxes,
        index,
        mode="avg",
        coordinate_transformation_mode="half_pixel",
        output_height=height,
        output_width=width,
        sampling_ratio=SAMPLES,
        spatial_scale=1.0,
    )


def _covered_part(images: Any, boxes: Any) -> tuple[Any, Any]:
    """Cut images down to the rectangle that covers all boxes, as far as it is inside, and convert that to float.

    Sampling needs a pixel more on each side, as bilinear interpolation reads a neighbour. Without boxes two by two
    pixels are left, since some runtimes refuse empty images.

    Args:
        images: uint8 ``[B, 3, H, W]``.
        boxes: float ``[N, 4]``, ``x1 y1 x2 y2`` in pixels.

    Returns:
        The part, float ``[B, 3, h, w]``, and the boxes in its pixels.
    """
    size = op.Cast(op.Shape(images, start=2, end=4), to=TensorProto.FLOAT)
    # One row more: the smallest and the largest of no boxes at all are not defined everywhere.
    far = op.Reshape(op.Concat(op.Gather(size, [1, 0]), op.Constant(value_floats=[0.0, 0.0]), axis=0), [1, 4])
    rows = op.Concat(boxes, far, axis=0)
    last = op.Sub(op.Gather(size, [1, 0]), 2.0)
    start = op.Max(op.Min(op.Sub(op.Floor(op.Gather(op.ReduceMin(rows, [0], keepdims=0), [0, 1])), 1.0), last), 0.0)
    end = op.Max(op.Add(op.Ceil(op.Gather(op.ReduceMax(rows, [0], keepdims=0), [2, 3])), 1.0), op.Add(start, 2.0))
    corners = (op.Cast(corner, to=TensorProto.INT64) for corner in (start, end))
    part = op.Slice(images, *corners, op.Constant(value_ints=[3, 2]))
    return op.Cast(part, to=TensorProto.FLOAT), op.Sub(boxes, op.Concat(start, start, axis=0))
