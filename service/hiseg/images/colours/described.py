"""Reads what a PNG says of its colours in numbers instead of a profile: primaries, and the curve from numbers to light.

Of several chunks, the one counts that the PNG Specification's third edition puts first: cICP, iCCP, sRGB, then gAMA
with cHRM.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hiseg.core.image import Floats
from hiseg.images.headers.header import Header

Light = npt.NDArray[np.float64]
"""Numbers as they are stored or linear light, float64, 0..1 unless a docstring says otherwise."""
Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue."""

D65 = (0.3127, 0.3290)
SRGB_PRIMARIES: Chromaticities = (*D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_PRIMARIES: dict[int, tuple[str, Chromaticities]] = {
    1: ("BT.709", SRGB_PRIMARIES),
    4: ("BT.470 M", (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08)),
    5: ("BT.601 625", (*D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06)),
    6: ("BT.601 525", (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    7: ("SMPTE 240M", (*D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070)),
    8: ("generic film", (0.310, 0.316, 0.681, 0.319, 0.243, 0.692, 0.145, 0.049)),
    9: ("BT.2020", (*D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046)),
    11: ("DCI-P3", (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
    12: ("Display P3", (*D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)),
    22: ("EBU 3213", (*D65, 0.630, 0.340, 0.295, 0.605, 0.155, 0.077)),
}
"""ITU-T H.273, table 2."""
PAPER_WHITE = 203
"""cd/m² of white paper in HDR (ITU-R BT.2408), which is light 1."""
HDR_WHITE = 1_000 / PAPER_WHITE
"""Light that is shown as white, and all that is brighter."""
_SRGB_GAMMA = 45455
_GAMMA_SPREAD = 500
_LARGEST_GAMMA, _SMALLEST_GAMMA = 1_000_000, 10_000
"""Exponents of 0.1 to 10, of which no others are meant."""


@dataclass(frozen=True, slots=True)
class Described:
    """Colours as numbers describe them.

    Attributes:
        name: what they are called in a note.
        curve: linear light of numbers 0..1; 1 is white.
        primaries: None: sRGB's.
        is_hdr: whether there may be light brighter than white, for :func:`roll_off`.
    """

    name: str
    curve: Callable[[Light], Light]
    primaries: Chromaticities | None = None
    is_hdr: bool = False

    @property
    def is_srgb(self) -> bool:
        """Whether nothing is to be converted."""
        return self.curve is srgb_to_light and self.primaries is None

    def light(self, numbers: Light) -> Floats:
        """The linear light of numbers, float32 of the same shape."""
        return self.curve(numbers).astype(np.float32)


def describe_by_cicp(data: bytes, header: Header) -> Described | None:
    """What the chunk cICP says; None if it isn't there or says nothing that can be used.

    Numbers that stand for luma and colour differences, or in a limited range, are no RGB and aren't taken for it.
    """
    begin, end = header.colours.get(b"cICP", (0, 0))
    if end - begin != 4:
        return None
    primaries, curve, matrix, is_full = data[begin:end]
    if primaries not in _PRIMARIES or curve not in _CURVES or matrix or is_full != 1:
        return None
    name, chromaticities = _PRIMARIES[primaries]
    words, function = _CURVES[curve]
    return Described(
        f"{name}{words}", function, None if primaries == 1 else chromaticities, is_hdr=curve in _HDR_CURVES
    )


def describe_by_gamma(data: bytes, header: Header) -> Described | None:
    """What gAMA says, and cHRM beside it; None if there is no gAMA, or it is sRGB's and cHRM too.

    cHRM alone says nothing, as in browsers.
    """
    gamma = _numbers(data, header, b"gAMA", ">I")
    if not gamma or not _SMALLEST_GAMMA <= gamma[0] <= _LARGEST_GAMMA:
        return None
    chromaticities = _chromaticities(data, header)
    if chromaticities is None and abs(gamma[0] - _SRGB_GAMMA) <= _GAMMA_SPREAD:
        return None
    exponent = 100_000 / gamma[0]
    name = f"gamma {exponent:.2f}{' and other primaries' if chromaticities else ''}"
    return Described(name, lambda numbers: numbers**exponent, chromaticities)


def _chromaticities(data: bytes, header: Header) -> Chromaticities | None:
    """cHRM; None if it isn't there, is impossible, or says what sRGB has."""
    found = [each / 100_000 for each in _numbers(data, header, b"cHRM", ">8I")]
    if not found or np.abs(np.subtract(found, SRGB_PRIMARIES)).max() < 0.002:
        return None
    white_x, white_y, *primaries = found
    pairs = [(white_x, white_y), *zip(primaries[::2], primaries[1::2], strict=True)]
    if any(not 0 < y <= 1 or x + y > 1 for x, y in pairs):
        return None
    (_, _), (x1, y1), (x2, y2), (x3, y3) = pairs
    if abs((x2 - x1) * (y3 - y1) - (x3 - x1) * (y2 - y1)) < 0.01:  # twice the area of their triangle
        return None
    return (white_x, white_y, x1, y1, x2, y2, x3, y3)


def _numbers(data: bytes, header: Header, name: bytes, form: str) -> tuple[int, ...]:
    """The numbers of a chunk; none if it isn't there or has another length."""
    begin, end = header.colours.get(name, (0, 0))
    return struct.unpack_from(form, data, begin) if end - begin == struct.calcsize(form) else ()


def roll_off(light: Floats) -> Floats:
    """Reduce HDR, 0 or more, to 0..1: up to paper white by half, beyond it ever more, to white; as browsers do about.

    Colours keep their hue: all three are reduced by what their brightest needs.

    Args:
        light: ``[H, W]`` or ``[H, W, 3]``.
    """
    brightest = np.maximum(light if light.ndim == 2 else light.max(axis=2, keepdims=True), 1)
    reduced = 0.5 + 0.5 * np.log(brightest) / np.log(HDR_WHITE)
    return np.asarray(light * (reduced / brightest), dtype=np.float32)


def srgb_to_light(numbers: Light) -> Light:
    """sRGB's curve (IEC 61966-2-1)."""
    return np.where(numbers <= 0.04045, numbers / 12.92, ((numbers + 0.055) / 1.055) ** 2.4)


def light_to_srgb(light: Light) -> Light:
    """The numbers of linear light, which is clipped to 0..1."""
    clipped = np.clip(light, 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def _bt1886(numbers: Light) -> Light:
    """How screens show what cameras record by BT.709, BT.601 and BT.2020, whose own curve is the cameras'."""
    return numbers**2.4


def _smpte_240m(numbers: Light) -> Light:
    return np.where(numbers < 0.0913, numbers / 4, ((numbers + 0.1115) / 1.1115) ** (1 / 0.45))


def _cinema(numbers: Light) -> Light:
    """SMPTE ST 428-1, in which white is darker than the lightest number."""
    return np.minimum(52.37 / 48 * numbers**2.6, 1)


def _pq(numbers: Light) -> Light:
    """SMPTE ST 2084, up to 10,000 cd/m², relative to paper white."""
    root = numbers ** (32 / 2523)
    return 10_000 / PAPER_WHITE * (np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610)


def _hlg(numbers: Light) -> Light:
    """ITU-R BT.2100 on a screen of 1,000 cd/m², relative to paper white."""
    scene = np.where(numbers <= 0.5, numbers**2 / 3, (np.exp((numbers - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return 1_000 / PAPER_WHITE * scene**1.2


_CURVES: dict[int, tuple[str, Callable[[Light], Light]]] = {
    1: (" with gamma 2.4", _bt1886),
    4: (" with gamma 2.2", lambda numbers: numbers**2.2),
    5: (" with gamma 2.8", lambda numbers: numbers**2.8),
    6: (" with gamma 2.4", _bt1886),
    7: (" with SMPTE 240M's curve", _smpte_240m),
    8: (" in linear light", lambda numbers: numbers),
    11: (" with gamma 2.4", _bt1886),
    13: ("", srgb_to_light),
    14: (" with gamma 2.4", _bt1886),
    15: (" with gamma 2.4", _bt1886),
    16: (" PQ", _pq),
    17: (" with the cinema's curve", _cinema),
    18: (" HLG", _hlg),
}
"""ITU-T H.273, table 3."""
_HDR_CURVES = (16, 18)
