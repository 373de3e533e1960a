"""An image, whether it is decoded yet or not, and the array types of pixels and masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hiseg.core.stop import NEVER, Stop

Pixels = npt.NDArray[np.uint8]
"""uint8 pixels, RGB ``[H, W, 3]`` unless a docstring says otherwise."""
Labels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
"""uint8 or uint16 ``[H, W]``: 0 is background, k the k-th person, counted from 1."""
BoolMask = npt.NDArray[np.bool_]
"""bool ``[H, W]``, true for the pixels of a person."""
Floats = npt.NDArray[np.float32]
"""float32 of any shape: logits, probabilities, coordinates."""
Size = tuple[int, int]
"""(height, width) in pixels."""


class ImageSource(Protocol):
    """An image of known size that can be decoded: an encoded image, a raw frame, or one that is decoded already."""

    @property
    def width(self) -> int:
        """Width in pixels, after EXIF rotation."""

    @property
    def height(self) -> int:
        """Height in pixels, after EXIF rotation."""

    @property
    def nbytes(self) -> int:
        """Bytes of memory that the source itself takes, whether its pixels are decoded or not."""

    @property
    def decoding_bytes(self) -> int:
        """Most bytes of memory that :meth:`decode` takes at once when it decodes in full size, its result included."""

    def decoding_bytes_for(self, at_least: Size | None) -> int:
        """Most bytes of memory that :meth:`decode` takes at once with the same argument, its result included."""

    def decode(self, at_least: Size | None = None, stop: Stop = NEVER) -> Image:
        """Decode the pixels, which may take too long for the event loop.

        Args:
            at_least: a smaller image will do, as long as it is no smaller than this (height, width); a JPEG is then
                decoded at a half, a quarter or an eighth of its size, in a part of the time. None: in full size.
            stop: looked at between the steps of converting its colours.

        Raises:
            UndecodableImage: the data is truncated or damaged.
            Exception: what :meth:`Stop.check` raises.
        """


@dataclass(frozen=True, slots=True)
class Image:
    """A decoded image; also an :class:`ImageSource`, which documents its properties.

    Attributes:
        pixels: RGB uint8 ``[H, W, 3]``, after EXIF rotation; pixel (0, 0) is top left.
        notes: what the decoder did to the image that the caller should know, such as "first frame of 12".
        alpha: how opaque each pixel is, uint8 ``[H, W]``, where any is not: ``pixels`` then are laid on white. None:
            all are opaque.
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()
    alpha: Pixels | None = None

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes + (0 if self.alpha is None else self.alpha.nbytes)

    @property
    def decoding_bytes(self) -> int:
        return 0

    def decoding_bytes_for(self, at_least: Size | None) -> int:
        return 0

    def decode(self, at_least: Size | None = None, stop: Stop = NEVER) -> Image:
        """Return the image itself, which needs no decoding."""
        return self
