"""Makes files of Pillow's images of every mode, with nothing lost that the service can show."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import PIL.Image

from hiseg.client.errors import invalid

IMAGE_FIELD = "image"
PNG_LEVEL = 1
"""Compression level of PNGs: takes a fifth of the default's time, for some more bytes."""
_PROFILE = "icc_profile"
_FULL_16, _FULL_8 = 65535, 255


def is_plain(image: PIL.Image.Image) -> bool:
    """Whether an image is no more than its pixels, in sRGB."""
    if image.mode != "RGB" or "transparency" in image.info:
        return False
    profile = image.info.get(_PROFILE)
    if not profile:
        return True
    from hiseg.images.colours.conversion import find_by_profile  # who has no profile needs none of it

    return not find_by_profile(profile, "RGB", is_grey=False).changes


def encode_png(image: PIL.Image.Image) -> bytes:
    """Write a PNG of an image of any mode, with its colour profile and transparency.

    Raises:
        InvalidRequest: its numbers aren't those of an image.
    """
    file = io.BytesIO()
    _CONVERTED.get(image.mode, _keep)(image).save(file, "PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def _keep(image: PIL.Image.Image) -> PIL.Image.Image:
    return image


def _to(mode: str) -> Callable[[PIL.Image.Image], PIL.Image.Image]:
    return lambda image: image.convert(mode)


def _cmyk_to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    """As the service converts a CMYK file, with its profile if it has one."""
    from hiseg.images.colours.conversion import find_by_profile

    profile = image.info.get(_PROFILE)
    found = find_by_profile(profile, "CMYK", is_grey=False).apply(image) if profile else image.convert("RGB")
    return _without_profile(found)


def _lab_to_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    return _without_profile(image.convert("RGB"))


def _without_profile(image: PIL.Image.Image) -> PIL.Image.Image:
    """The same image, whose colours aren't the profile's any more."""
    image.info.pop(_PROFILE, None)
    return image


def _whole_numbers(image: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of 8 bits, if no number is higher, or of 16."""
    pixels = np.asarray(image)
    _check_range(image, pixels, _FULL_16)
    is_small = image.mode == "I" and not (pixels > _FULL_8).any()
    return _like(image, pixels.astype(np.uint8 if is_small else np.uint16))


def _fractions(image: PIL.Image.Image) -> PIL.Image.Image:
    """Grey of 8 bits, of numbers up to 1 or up to 255."""
    pixels = np.asarray(image)
    _check_range(image, pixels, _FULL_8)
    scale = _FULL_8 if not (pixels > 1).any() else 1
    return _like(image, np.rint(scale * pixels).astype(np.uint8))


def _check_range(image: PIL.Image.Image, pixels: np.typing.NDArray[np.generic], most: int) -> None:
    low, high = (float(each(pixels)) if pixels.size else 0.0 for each in (np.min, np.max))
    if not (low >= 0 and high <= most):  # nor NaN
        raise invalid(
            f"an image of Pillow's mode {image.mode} must have numbers from 0 to {most}, not from {low:g} to {high:g}",
            field=IMAGE_FIELD,
            limit=most,
            value=high,
        )


def _like(image: PIL.Image.Image, pixels: np.typing.NDArray[np.generic]) -> PIL.Image.Image:
    """Grey pixels with the profile of another image."""
    made = PIL.Image.fromarray(pixels)
    made.info.update({key: value for key, value in image.info.items() if key == _PROFILE})
    return made


_CONVERTED: dict[str, Callable[[PIL.Image.Image], PIL.Image.Image]] = {
    "CMYK": _cmyk_to_rgb,
    "LAB": _lab_to_rgb,
    "YCbCr": _to("RGB"),
    "HSV": _to("RGB"),
    "RGBX": _to("RGB"),
    "PA": _to("RGBA"),
    "RGBa": _to("RGBA"),
    "La": _to("LA"),
    "I": _whole_numbers,
    "I;16B": _whole_numbers,
    "I;16L": _whole_numbers,
    "I;16N": _whole_numbers,
    "F": _fractions,
}
"""What is done to the modes that a PNG can't hold."""
