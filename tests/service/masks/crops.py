"""Random crops for property tests, and the same masks at full image size."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiseg.core.result import CropMask


@st.composite
def crops(draw: st.DrawFn) -> tuple[CropMask, int, int]:
    """A crop somewhere in an image, touching its borders as often as not; the image's width and height."""
    width, height = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    shape = draw(st.integers(1, height - top)), draw(st.integers(1, width - left))
    fill = draw(st.sampled_from([st.booleans(), st.just(True), st.just(False)]))
    return CropMask(left, top, draw(hnp.arrays(np.bool_, shape, elements=fill))), width, height


def full_size(mask: CropMask, width: int, height: int) -> np.ndarray:
    """uint8 ``[height, width]``, column-major as pycocotools wants it."""
    canvas = np.zeros((height, width), dtype=np.uint8, order="F")
    rows, columns = mask.pixels.shape
    canvas[mask.top : mask.top + rows, mask.left : mask.left + columns] = mask.pixels
    return canvas
