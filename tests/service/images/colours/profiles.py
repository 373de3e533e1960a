"""Makes ICC profiles of every kind that images come with, as cameras, screens, scanners and presses have them."""

from __future__ import annotations

import io
import struct

import numpy as np
import PIL.Image
from PIL import ImageCms

D50 = (0.9642, 1.0, 0.8249)
DISPLAY_P3 = ((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407))
ADOBE_RGB = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
PROPHOTO = ((0.79767, 0.28804, 0.0), (0.13519, 0.71188, 0.0), (0.03134, 0.00009, 0.82491))
SRGB = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.7141))
SWAPPED = (SRGB[2], SRGB[0], SRGB[1])
"""Red is shown as blue, green as red, blue as green."""
Colours = tuple[tuple[float, ...], ...]


def fixed(*values: float) -> bytes:
    return b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def xyz(*values: float) -> bytes:
    return b"XYZ \0\0\0\0" + fixed(*values)


def gamma(exponent: float) -> bytes:
    """A curve of ICC's version 2."""
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256))


def sampled(exponent: float, count: int = 1024) -> bytes:
    """A curve as a table."""
    values = np.rint(np.linspace(0, 1, count) ** exponent * 65535).astype(">u2")
    return b"curv\0\0\0\0" + struct.pack(">I", count) + values.tobytes()


SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def name_2(text: str) -> bytes:
    """A description of ICC's version 2."""
    ascii_name = text.encode("ascii", "replace") + b"\0"
    return b"desc\0\0\0\0" + struct.pack(">I", len(ascii_name)) + ascii_name + bytes(78)


def name_4(text: str, language: bytes = b"enUS") -> bytes:
    """A description of ICC's version 4."""
    body = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II4sII", 1, 12, language, len(body), 28) + body


def profile(
    tags: dict[bytes, bytes], space: bytes = b"RGB ", pcs: bytes = b"XYZ ", kind: bytes = b"mntr", version: int = 4
) -> bytes:
    """A profile of these parts."""
    at = 132 + 12 * len(tags)
    table, bodies = b"", b""
    for name, body in tags.items():
        padded = body + b"\0" * (-len(body) % 4)
        table += struct.pack(">4sII", name, at + len(bodies), len(body))
        bodies += padded
    head = struct.pack(
        ">I4xI4s4s4s6H4s28x", at + len(bodies), version << 24, kind, space, pcs, 2020, 1, 1, 0, 0, 0, b"acsp"
    )
    head += fixed(*D50)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + bodies


def of_colours(colours: Colours, curve: bytes = SRGB_CURVE, name: bytes = b"", version: int = 4) -> bytes:
    """A profile of RGB with three primaries and one curve."""
    tags = {b"desc": name, b"wtpt": xyz(*D50)} if name else {b"wtpt": xyz(*D50)}
    tags |= {tag: xyz(*each) for tag, each in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colours, strict=True)}
    return profile(tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve), version=version)


def of_grey(curve: bytes, name: str = "Dot Gain 20%") -> bytes:
    """A profile of grey."""
    return profile({b"desc": name_4(name), b"wtpt": xyz(*D50), b"kTRC": curve}, space=b"GRAY")


def lut_16(channels: int, grid: int) -> bytes:
    """A table from ``channels`` colours to Lab, in which a fourth is black, and the others are ink or light."""
    axes = np.indices((grid,) * channels).reshape(channels, -1) / (grid - 1)
    light = 1 - axes[:3] if channels == 4 else axes
    light = light * (1 - axes[3]) if channels == 4 else light
    rgb = np.rint(light.T * 255).astype(np.uint8)[None]
    lab = ImageCms.profileToProfile(
        PIL.Image.fromarray(rgb),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        outputMode="LAB",
    )
    assert lab is not None
    values = np.asarray(lab)[0].astype(float)
    values[:, 1:] = (values[:, 1:] + 128) % 256  # Pillow has a and b signed
    values[:, 1:] = 128 + (values[:, 1:] - 128) * 0.6  # colours are weaker than they say
    body = (values * 256).clip(0, 65535).astype(">u2").tobytes()
    ends = struct.pack(">2H", 0, 65535)
    head = b"mft2\0\0\0\0" + bytes([channels, 3, grid, 0]) + fixed(1, 0, 0, 0, 1, 0, 0, 0, 1) + struct.pack(">HH", 2, 2)
    return head + ends * channels + body + ends * 3


def of_press(grid: int = 9) -> bytes:
    """A profile of CMYK, which is a table."""
    tags = {b"desc": name_2("Coated FOGRA39"), b"wtpt": xyz(*D50), b"A2B0": lut_16(4, grid)}
    return profile(tags, b"CMYK", b"Lab ", b"prtr", version=2)


def of_scanner(grid: int = 17) -> bytes:
    """A profile of RGB that is a table."""
    tags = {b"desc": name_2("EPSON Scanner"), b"wtpt": xyz(*D50), b"A2B0": lut_16(3, grid)}
    return profile(tags, b"RGB ", b"Lab ", b"scnr", version=2)


def shown(image: PIL.Image.Image, data: bytes) -> np.ndarray:
    """littlecms's own answer to an image with a whole profile: RGB."""
    converted = ImageCms.profileToProfile(
        image, ImageCms.ImageCmsProfile(io.BytesIO(data)), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None
    return np.asarray(converted)
