"""What a file says of its image before one looks at the pixels, in the same form for all file types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hiseg.core.image import Size

_FIRST_ON_ITS_SIDE = 5
"""The first of the orientations whose rows are stored as columns."""
Span = tuple[int, int]
"""Where a part of a file begins and ends, in bytes."""


def cut(data: bytes, span: Span | None, most: int) -> bytes:
    """Copy a part of a file, and no more than the first ``most`` bytes of it; nothing if there is no such part."""
    return data[span[0] : min(span[1], span[0] + most)] if span else b""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of an encoded image, as stored: not rotated yet.

    Attributes:
        kind: ``JPEG``, ``PNG`` or ``WEBP``.
        mode: Pillow's name of the colour model, such as ``RGB`` or ``LA``.
        width: width in pixels.
        height: height in pixels.
        pixels_at: offset of the first part that has pixels: a JPEG's first scan, a PNG's first IDAT chunk; a WebP has
            its pixels among ``kept``.
        kept: the parts before the pixels that decoding them needs, in the order of the file; all others are metadata.
        orientation: EXIF's orientation, 1 to 8; 1 is upright.
        frames: frames of an animation; 1 for a still image.
        is_transparent: whether any pixel may be transparent.
        bits: bits of each number of a PNG with more than 8, which is 16; 8 for all others.
        significant_bits: how many bits a PNG says that its colours had before it was written; 0 if it doesn't.
        in_passes: whether it is a JPEG that the decoder must hold as a whole while it reads it in several passes: a
            progressive one, or one with a scan for each colour.
        samples: numbers that a JPEG has for each pixel: 1 if it is grey, 3 in full colour, 1.5 in 4:2:0.
        is_plain: whether it is coded as almost all files of its type are; of JPEG: with
            colours sampled in a usual way.
        is_lossless: whether it is a WebP of the lossless kind, which is decoded in another way.
        is_cut_off: whether it is a WebP that ends within its metadata, behind its pixels.
        profile: where the parts of an ICC profile are, in their order: as it is in JPEG and WebP; of a PNG, the body of
            its iCCP chunk, which begins with a name and is packed.
        colours: bodies of a PNG's chunks that say what its numbers mean, by name: gAMA, cHRM, sRGB, cICP, sBIT, tRNS.
        frame_at: (left, top) of the first frame of an animation on its canvas.
        frame_size: (width, height) of the first frame; that of the image if it isn't animated.
    """

    kind: str
    mode: str
    width: int
    height: int
    pixels_at: int = 0
    kept: tuple[Span, ...] = ()
    orientation: int = 1
    frames: int = 1
    is_transparent: bool = False
    bits: int = 8
    significant_bits: int = 0
    in_passes: bool = False
    samples: float = 1
    is_plain: bool = True
    is_lossless: bool = False
    is_cut_off: bool = False
    profile: tuple[Span, ...] = ()
    colours: Mapping[bytes, Span] = field(default_factory=dict)
    frame_at: tuple[int, int] = (0, 0)
    frame_size: tuple[int, int] = (0, 0)

    @property
    def is_on_its_side(self) -> bool:
        """Whether rows are stored as columns, so that width and height change places when it is turned upright."""
        return self.orientation >= _FIRST_ON_ITS_SIDE

    @property
    def upright_size(self) -> Size:
        """(height, width) in pixels, after rotation."""
        return (self.width, self.height) if self.is_on_its_side else (self.height, self.width)

    @property
    def is_grey(self) -> bool:
        """Whether it has grey and no other colour."""
        return self.mode in ("1", "L", "LA")
