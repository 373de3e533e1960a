"""Converts linear light from other primaries to sRGB's."""

from __future__ import annotations

import numpy as np

from hiseg.core.image import Floats
from hiseg.images.colours.described import SRGB_PRIMARIES, Chromaticities, Light

_BRADFORD = np.array(((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296)))
"""From XYZ to what the eye adapts, as ICC has it."""


def to_srgb_primaries(primaries: Chromaticities) -> Floats:
    """The matrix ``[3, 3]`` from linear RGB with these primaries to sRGB's, white becoming white."""
    own, white = _to_xyz(primaries)
    srgb, srgb_white = _to_xyz(SRGB_PRIMARIES)
    gains = (_BRADFORD @ srgb_white) / (_BRADFORD @ white)
    adapted = np.linalg.solve(_BRADFORD, gains[:, None] * (_BRADFORD @ own))
    return np.linalg.solve(srgb, adapted).astype(np.float32)


def _to_xyz(primaries: Chromaticities) -> tuple[Light, Light]:
    """The matrix ``[3, 3]`` from linear RGB to XYZ, and the XYZ of white."""
    x, y = np.array(primaries).reshape(4, 2).T
    xyz = np.stack((x / y, np.ones(4), (1 - x - y) / y))
    white, colours = xyz[:, 0], xyz[:, 1:]
    return colours * np.linalg.solve(colours, white), white
