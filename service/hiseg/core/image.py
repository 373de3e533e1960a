"""An image, encoded or decoded, and the arrays that pixels and masks are held in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
BoolMask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class ImageSource(Protocol):
    """An image whose size is known, decoded or not."""

    @property
    def width(self) -> int:
        """Pixels, after EXIF rotation."""

    @property
    def height(self) -> int:
        """Pixels, after EXIF rotation."""

    @property
    def nbytes(self) -> int:
        """Memory it takes as it is."""

    def decode(self) -> Image:
        """The pixels; may take a while, so not on the event loop.

        Raises:
            UndecodableImage: truncated or damaged.
        """


@dataclass(frozen=True, slots=True)
class Image:
    """A decoded picture.

    Attributes:
        pixels: uint8 ``[H, W, 3]``, RGB, after EXIF rotation; pixel (0, 0) is top left.
        notes: what the decoder had to do that the caller should know, e.g. "first frame of 12".
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes

    def decode(self) -> Image:
        """Itself: a :class:`ImageSource` that needs no decoding."""
        return self
