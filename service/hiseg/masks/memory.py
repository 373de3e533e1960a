"""What drawing masks and writing them takes of memory, known before it begins, so that it can wait until that is free.

The figures are what isolated processes took for images of 12 and 49 megapixels with 1 and 100 boxes, rounded up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiseg.core.image import ImageSource
from hiseg.masks.formats.label_map import MAX_SMALL_LABELS

if TYPE_CHECKING:
    from hiseg.masks.draw import CropSizes  # which needs OpenCV

DRAWING_BYTES = 4
"""Bytes for each pixel of the crop that is being drawn, beside the mask itself: its log-odds."""
BUFFER_BYTES, MAX_BUFFER_BYTES = 8, 32 * 2**20
"""Bytes for each pixel of the largest crop, and the most in all, for strips and for buffers that are kept a while."""


@dataclass(frozen=True, slots=True)
class WritingCost:
    """What writing an answer takes, in bytes; its own size is what remains of it afterwards.

    Attributes:
        image: bytes for each pixel of the image.
        largest: for each pixel of the largest crop, while it is written.
        pixels: for each pixel of all crops, when all are written.
        max_pixels: of crops that have more pixels together, none is written.
        sides: for each pixel of the width and the height of all crops.
        decodes: whether the image is decoded once more.
        answer_image: bytes of the answer for each pixel of the image.
        answer_pixels: bytes of the answer for each pixel of all crops.
        numbers: whether each crop has a number in the pixels of the image, which take two bytes if there are many.
        is_quick: whether a few small masks are written in no more time than they are drawn.
    """

    image: float = 0.0
    largest: float = 0.0
    pixels: float = 0.0
    max_pixels: float = math.inf
    sides: float = 0.0
    decodes: bool = False
    answer_image: float = 0.0
    answer_pixels: float = 0.0
    numbers: bool = False
    is_quick: bool = False

    def answer_bytes(self, image: ImageSource, crops: CropSizes) -> int:
        """Predict the size of the answer."""
        return int(self.answer_image * image.width * image.height + self.answer_pixels * crops.pixels)

    def peak_bytes(self, image: ImageSource, crops: CropSizes) -> int:
        """Predict the most bytes that drawing masks and then writing the answer take at any moment."""
        wide = 2 if self.numbers and crops.count > MAX_SMALL_LABELS else 1
        writing = (
            wide * self.image * image.width * image.height
            + max(self.largest * crops.largest, self.pixels * min(crops.pixels, self.max_pixels))
            + self.sides * crops.sides
        )
        if self.decodes:
            decoded = 3 * image.width * image.height
            writing = max(image.decoding_bytes, decoded + int(writing))
        buffers = min(BUFFER_BYTES * crops.largest, MAX_BUFFER_BYTES)
        return crops.pixels + max(DRAWING_BYTES * crops.largest, int(writing)) + buffers


NOTHING = WritingCost()
"""Of an answer that keeps nothing but the result itself."""
