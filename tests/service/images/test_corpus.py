"""Every honest kind of file gives the pixels that Pillow alone would give, the size, and notes of what was done."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from hiseg.core.image import Image
from hiseg.images.encoded import inspect
from tests.service.images.files import LIMITS, honest_files


def pillows(data: bytes) -> Image:
    """The image as Pillow reads it, a whole image at each step."""
    notes = []
    with PIL.Image.open(io.BytesIO(data)) as opened:
        frames = getattr(opened, "n_frames", 1)
        if frames > 1:
            notes.append(f"animated: the first of {frames} frames was used")
        # Pillow finds a PNG's orientation behind the pixels too, and everybody's in XMP alone.
        exif = PIL.Image.Exif()
        exif.load(opened.info.get("exif", b""))
        turned = 2 <= exif.get(0x0112, 1) <= 8
        opened.load()
        depth = data[24] if opened.format == "PNG" else 8
        key = opened.info.get("transparency")
        if key is not None and depth == 16:
            del opened.info["transparency"]  # Pillow looks for it after it has left out half of each number
        elif key is not None and opened.mode == "L" and depth < 8:
            opened.info["transparency"] = key * 255 // (2**depth - 1)  # Pillow has it as it is stored
        flat: PIL.Image.Image = PIL.ImageOps.exif_transpose(opened) if turned else opened
        if flat.mode in ("RGBA", "LA", "PA") or "transparency" in opened.info:
            if "transparency" in opened.info:
                flat.info["transparency"] = opened.info["transparency"]
            flat = flat.convert("RGBA")
            if flat.getchannel("A").getextrema()[0] < 255:
                notes.append("transparent: laid on white")
            white = PIL.Image.new("RGBA", flat.size, "white")
            white.alpha_composite(flat)
            flat = white
        elif flat.mode == "I;16":
            flat = PIL.Image.fromarray((np.asarray(flat) >> 8).astype(np.uint8))
        elif flat.mode == "CMYK":
            notes.append("CMYK: converted to RGB without a colour profile")
        if depth == 16:
            notes.append("16 bits a channel: reduced to 8")
        if "icc_profile" in opened.info:  # none of the corpus's is one
            notes.append("its colour profile was ignored: it is none of ICC's, or of a later version than 4")
        if turned and opened.format == "WEBP":
            notes.append("turned upright by its EXIF orientation, which browsers don't apply to a WebP")
        return Image(np.asarray(flat.convert("RGB")), tuple(notes))


@pytest.mark.parametrize(("name", "data"), [pytest.param(name, data, id=name) for name, data in honest_files()])
def test_pixels_size_and_notes_are_pillows(name: str, data: bytes) -> None:
    image, expected = inspect(data, LIMITS), pillows(data)
    decoded = image.decode()
    assert (image.height, image.width) == expected.pixels.shape[:2]
    assert decoded.notes == expected.notes
    np.testing.assert_array_equal(decoded.pixels, expected.pixels)


@pytest.mark.parametrize(("name", "data"), [pytest.param(name, data, id=name) for name, data in honest_files()])
def test_what_decoding_takes_is_never_less_than_its_result(name: str, data: bytes) -> None:
    image = inspect(data, LIMITS)
    assert image.decoding_bytes >= image.decode().nbytes
    assert image.decoding_bytes_for((1, 1)) <= image.decoding_bytes
