"""Colours for people, as far apart as so many can be, for eyes of all kinds.

The first two are of Okabe and Ito's "Color Universal Design" (2008). Each further one is, of all sRGB colours in steps
of 15 that are neither dark, nor almost white, nor almost grey (CIELAB L* 40 to 95, chroma over 35), the one that is
farthest (CIEDE2000) from its nearest neighbour among those before it: as seen with normal sight, and without red or
green cones (Machado, Oliveira and Fernandes 2009), whichever is nearest. So the first few are the most distinct.

That works for ten: nobody could name fifty colours, let alone with two kinds of cones. What is drawn with them says
numbers too. A test holds how far apart they are.
"""

from __future__ import annotations

Rgb = tuple[int, int, int]

_BYTES = bytes.fromhex(
    """
    e69f00 56b4e9 a53c5a 96ffe1 4b4be1 e17887 d21e00 d2ff96 b46996 69f0ff
    0f87ff b40087 4bc3b4 d2784b a5d296 f0e100 b4695a 1e781e ff96b4 e10f78
    b469c3 b4ffc3 b4d269 ffb4e1 c387c3 4b69a5 00b496 a5b469 a54b4b d27800
    00d2d2 3ce1c3 00a5ff d20fa5 5a5aff c35a3c f04b69 87ffff ffb43c b44b3c
    00d2ff d26987 96e1b4 f0874b d2ff69 a55a87 d2e196 0fc396 d278a5 c3001e
    """
)
COLOURS: tuple[Rgb, ...] = tuple(zip(_BYTES[::3], _BYTES[1::3], _BYTES[2::3], strict=True))
PALETTE = tuple(f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in COLOURS)
"""The same as the web writes them: ``#rrggbb``."""


def colour(index: int) -> Rgb:
    """Red, green and blue of the ``index``-th person, from 0; the fifty-first has the first one's again."""
    return COLOURS[index % len(COLOURS)]


def is_light(rgb: Rgb) -> bool:
    """Black can be read on it better than white: by the luminance of WCAG 2."""
    linear = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in rgb))
    luminance = sum(weight * v for weight, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return luminance > 0.179
