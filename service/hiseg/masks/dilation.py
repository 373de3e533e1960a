"""Makes a mask larger by so many image pixels on all sides."""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.result import CropMask


def dilate(mask: CropMask, pixels: int, width: int, height: int) -> CropMask:
    """Every pixel of the image whose centre lies at most ``pixels`` from that of one of the mask's.

    The crop grows with the mask, but no pixel lies outside the ``width`` x ``height`` image. The time doesn't depend
    on ``pixels``, but for the larger crop.
    """
    if pixels == 0 or not mask.pixels.any():
        return mask
    rows, columns = mask.pixels.shape
    left, top = max(0, mask.left - pixels), max(0, mask.top - pixels)
    right, bottom = min(width, mask.left + columns + pixels), min(height, mask.top + rows + pixels)
    outside = np.ones((bottom - top, right - left), dtype=np.uint8)
    outside[mask.top - top :, mask.left - left :][:rows, :columns] = ~mask.pixels
    distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return CropMask(left, top, np.asarray(distance <= pixels))
