"""Grows a mask by a number of image pixels on all sides."""

from __future__ import annotations

import cv2
import numpy as np

from hiseg.core.result import CropMask
from hiseg.core.stop import NEVER, Stop

STRIP_PIXELS = 2**21
"""Pixels of a strip."""


def dilate(mask: CropMask, pixels: int, width: int, height: int, stop: Stop = NEVER) -> CropMask:
    """Add every pixel whose centre is at most ``pixels`` away from the centre of one of the mask's pixels.

    It takes the exact distance transform of the crop's background, so that time grows with the crop but not otherwise
    with ``pixels``. Large crops are done in strips, since it takes seven bytes a pixel.

    Args:
        mask: the mask, lying inside the image; it is not changed.
        pixels: distance in pixels of the image, 0 or more.
        width: width of the image in pixels.
        height: height of the image in pixels.
        stop: looked at before each strip.

    Returns:
        A mask whose bool ``[h, w]`` crop has grown by ``pixels`` on all sides, but not beyond the image.

    Raises:
        Exception: what :meth:`Stop.check` raises.
    """
    if pixels == 0 or not mask.pixels.any():
        return mask
    rows, columns = mask.pixels.shape
    left, top = max(0, mask.left - pixels), max(0, mask.top - pixels)
    right, bottom = min(width, mask.left + columns + pixels), min(height, mask.top + rows + pixels)
    grown = np.empty((bottom - top, right - left), dtype=np.bool_)
    strip_rows = max(4 * pixels, STRIP_PIXELS // (right - left))
    for first in range(0, bottom - top, strip_rows):
        stop.check()
        # The rows whose pixels can reach the strip.
        last = min(first + strip_rows, bottom - top)
        start, end = max(0, first - pixels), min(last + pixels, bottom - top)
        above = mask.top - top - start  # rows of the strip above the mask; negative: rows of the mask above the strip
        source = mask.pixels[max(0, -above) : max(0, end - start - above)]
        if not source.any():
            grown[first:last] = False
            continue
        outside = np.ones((end - start, right - left), dtype=np.uint8)
        outside[max(0, above) :, mask.left - left :][: len(source), :columns] = ~source
        distance = cv2.distanceTransform(outside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        np.less_equal(distance[first - start : last - start], pixels, out=grown[first:last])
    return CropMask(left, top, grown)
