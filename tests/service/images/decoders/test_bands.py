"""Only what has transparent pixels is told to be transparent, and how opaque each pixel is isn't lost."""

from __future__ import annotations

import io

import numpy as np
import PIL.Image
import pytest

from hiseg.core.image import Image
from hiseg.images.encoded import inspect
from tests.service.images.files import LIMITS, animated_webp, chunk, encoded, exif, picture, png, three_bytes

NOTE = "transparent: laid on white"
RGBA = picture("RGBA", 96, 64)
OPAQUE = picture("RGB", 96, 64).convert("RGBA")


def dotted(image: PIL.Image.Image, alpha: int = 254) -> PIL.Image.Image:
    """One pixel of it isn't opaque, and that only just."""
    copy = image.copy()
    copy.putpixel((50, 60), (*copy.getpixel((50, 60))[:3], alpha))  # type: ignore[index]
    return copy


def decoded(data: bytes) -> Image:
    return inspect(data, LIMITS).decode()


@pytest.mark.parametrize("form", ["PNG", "WEBP", "WEBP lossy"])
@pytest.mark.parametrize("animated", [False, True])
def test_opaque_images_are_not_transparent_and_one_pixel_is_enough(form: str, animated: bool) -> None:
    name, _, lossy = form.partition(" ")
    options: dict[str, object] = {"lossless": not lossy, "exact": True} if name == "WEBP" else {}
    if animated:
        options |= {"save_all": True, "append_images": [RGBA]}
    opaque, half = (decoded(encoded(each, name, **options)) for each in (OPAQUE, dotted(OPAQUE, 128)))
    assert opaque.alpha is None
    assert NOTE not in opaque.notes
    assert NOTE in half.notes
    assert half.alpha is not None
    assert half.alpha[60, 50] == 128
    assert (half.alpha == 255).sum() == half.alpha.size - 1
    assert half.notes == (("animated: the first of 2 frames was used", NOTE) if animated else (NOTE,))


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [1, 2, 5, 8])
def test_transparency_is_turned_with_the_image(form: str, orientation: int) -> None:
    image = decoded(encoded(RGBA, form, lossless=True, exact=True, exif=exif(orientation)))
    alpha, steps = np.asarray(RGBA.getchannel("A")), {1: None, 2: 0, 5: 5, 8: 2}[orientation]
    upright = RGBA if steps is None else RGBA.transpose(PIL.Image.Transpose(steps))
    assert image.alpha is not None
    np.testing.assert_array_equal(image.alpha, np.asarray(upright.getchannel("A")))
    assert image.nbytes == 4 * alpha.size
    assert inspect(encoded(RGBA, form, exif=exif(orientation)), LIMITS).decoding_bytes >= 2 * image.nbytes


def test_a_colour_or_an_entry_of_a_palette_that_is_never_used_is_not_seen() -> None:
    grey = PIL.Image.fromarray(np.full((8, 8), 77, np.uint8))
    for key, seen in ((77, True), (78, False)):
        assert (NOTE in decoded(encoded(grey, "PNG", transparency=key)).notes) == seen
        colour = PIL.Image.new("RGB", (8, 8), (77, 77, 77))
        assert (NOTE in decoded(encoded(colour, "PNG", transparency=(77, 77, key))).notes) == seen
        palette = PIL.Image.fromarray(np.full((8, 8), 3, np.uint8), "P")
        palette.putpalette(bytes(range(30)))
        assert (NOTE in decoded(encoded(palette, "PNG", transparency=3 if seen else 4)).notes) == seen
    for alphas, seen in ((b"\xff\xff\xff\xff", False), (b"\xff\xff\xff\x80", True), (b"\xff", False)):
        assert (NOTE in decoded(encoded(palette, "PNG", transparency=alphas)).notes) == seen


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_greys_of_few_bits_are_compared_as_they_are_stored(depth: int) -> None:
    largest = 2**depth - 1
    image = decoded(png(16, 16, depth, 0, chunk(b"tRNS", bytes([0, largest]))))
    plain = decoded(png(16, 16, depth, 0))
    assert plain.alpha is None
    assert image.alpha is not None
    with PIL.Image.open(io.BytesIO(encoded(PIL.Image.fromarray(image.alpha), "PNG"))) as alpha:
        assert set(np.unique(np.asarray(alpha))) == {0, 255}
    assert (image.pixels[image.alpha == 0] == 255).all()


def test_what_a_first_frame_does_not_cover_is_transparent() -> None:
    image = decoded(animated_webp(20, 16, 3, at=(4, 2), alpha=True))
    assert image.alpha is not None
    assert (image.alpha[2:8, 4:12] == 128).all()
    assert (image.alpha == 0).sum() == 20 * 16 - 8 * 6
    assert decoded(animated_webp(20, 16, 3, at=(4, 2))).alpha is None


def test_an_opaque_first_frame_of_an_animation_with_transparency() -> None:
    frame = PIL.Image.new("RGB", (8, 6), "red")
    for canvas, seen in (((8, 6), False), ((20, 16), True)):
        later = PIL.Image.new("RGBA", (8, 6), (0, 0, 255, 128))
        data = encoded(frame, "WEBP", save_all=True, append_images=[later], lossless=True)
        assert data[12:16] == b"VP8X"
        sized = data[:24] + three_bytes(canvas[0] - 1, canvas[1] - 1) + data[30:]
        image = decoded(sized)
        assert image.pixels[2, 2].tolist() == [255, 0, 0]
        assert image.pixels.shape[:2] == canvas[::-1]
        assert (NOTE in image.notes) == seen
