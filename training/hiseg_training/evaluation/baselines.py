"""Masks without a model, as the floor that models must clear: the whole box, the ellipse in it, and GrabCut.

Each takes images uint8 ``[B, 3, H, W]`` and RoIs float32 ``[N, 5]``, as models do, and returns 0/1 masks float32
``[N, 1, 128, 96]`` and a foreground float32 ``[B, 1, H, W]`` of zeros.
"""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.image import Floats, Pixels
from hiseg_training.inference.runner import Runner, function_runner

GRID = (128, 96)
"""(height, width) of the masks, as the models'."""


def whole_box(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
    """Predict that everything in the box is the person."""
    return np.ones((len(rois), 1, *GRID), dtype=np.float32), _no_foreground(images)


def ellipse(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
    """Predict that the ellipse which touches the box's four sides is the person."""
    y, x = ((np.arange(cells) + 0.5) / cells * 2 - 1 for cells in GRID)
    inside = (y[:, None] ** 2 + x[None, :] ** 2 <= 1).astype(np.float32)
    return np.tile(inside, (len(rois), 1, 1, 1)), _no_foreground(images)


def grabcut(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
    """Run OpenCV's GrabCut (Rother et al., 2004), five iterations, on the box and half its side around it.

    Large boxes are reduced to 128 pixels a side first: the models see no more, and it takes a tenth of the time. Only
    one image at a time is supported.
    """
    image = np.ascontiguousarray(images[0].transpose(1, 2, 0)[:, :, ::-1])
    height, width = image.shape[:2]
    masks = np.zeros((len(rois), 1, *GRID), dtype=np.float32)
    for mask, roi in zip(masks, rois, strict=True):
        box = roi[1:] * (width, height, width, height)
        half = (box[2:] - box[:2]) / 2
        left, top = np.maximum(0, box[:2] - half).astype(int)
        right, bottom = np.minimum((width, height), np.ceil(box[2:] + half)).astype(int)
        scale = min(1.0, GRID[0] / (2 * half.max()))
        around = cv2.resize(image[top:bottom, left:right], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x1, y1, x2, y2 = np.round((box - (left, top, left, top)) * scale).astype(int)
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)
        labels = np.zeros(around.shape[:2], dtype=np.uint8)
        rectangle = (int(x1), int(y1), int(x2 - x1), int(y2 - y1))
        try:
            cv2.grabCut(around, labels, rectangle, np.zeros((1, 65)), np.zeros((1, 65)), 5, cv2.GC_INIT_WITH_RECT)
        except cv2.error:
            # GrabCut needs some background; a box that is the whole image leaves none.
            labels[y1:y2, x1:x2] = cv2.GC_PR_FGD
        person = np.isin(labels[y1:y2, x1:x2], (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        mask[0] = cv2.resize(person, GRID[::-1], interpolation=cv2.INTER_NEAREST)
    return masks, _no_foreground(images)


def _no_foreground(images: Pixels) -> Floats:
    return np.zeros((len(images), 1, *images.shape[2:]), dtype=np.float32)


BASELINES: dict[str, Runner] = {
    name: function_runner(predict)
    for name, predict in (("whole box", whole_box), ("ellipse", ellipse), ("GrabCut", grabcut))
}
