"""Grows a mask by a number of image pixels on all sides."""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.result import CropMask


def dilate(mask: CropMask, pixels: int, width: int, height: int) -> CropMask:
    """Add every pixel whose centre is at most ``pixels`` away from the centre of one of the mask's pixels.

    It takes the exact distance transform of the crop's background, so that time grows with the crop but not otherwise
    with ``pixels``.

    Args:
        mask: the mask, lying inside the image; it is not changed.
        pixels: distance in pixels of the image, 0 or more.
        width: width of the image in pixels.
        height: height of the image in pixels.

    Returns:
        A mask whose bool ``[h, w]`` crop has grown by ``pixels`` on all sides, but not beyond the image.
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
