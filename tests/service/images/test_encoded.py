"""Encoded images of unusual kinds, too large ones and damaged ones; every file here is really encoded."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import HisegError, TooLarge, UndecodableImage, UnsupportedImage
from hiseg.core.image import Image
from hiseg.images.encoded import inspect
from hiseg.images.limits import ImageLimits

LIMITS = ImageLimits(max_bytes=1_000_000, max_pixels=1_000_000)


def decode(data: bytes, limits: ImageLimits) -> Image:
    header = inspect(data, limits)
    image = header.decode()
    assert (image.width, image.height) == (header.width, header.height), "the header told the truth"
    return image


def encoded(picture: PIL.Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


def gradient(width: int = 40, height: int = 30) -> PIL.Image.Image:
    rows, columns = np.mgrid[0:height, 0:width]
    return PIL.Image.fromarray(np.stack([columns * 6, rows * 8, columns + rows], axis=2).astype(np.uint8))


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_lossless_pixels_survive(form: str) -> None:
    image = decode(encoded(gradient(), form, lossless=True), LIMITS)
    assert (image.width, image.height, image.notes) == (40, 30, ())
    np.testing.assert_array_equal(image.pixels, np.asarray(gradient()))


def test_jpeg() -> None:
    image = decode(encoded(gradient(), "JPEG", quality=95), LIMITS)
    assert np.abs(image.pixels.astype(int) - np.asarray(gradient())).mean() < 4


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 30}, {"optimize": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_the_fast_way_for_jpegs_gives_pillows_pixels(subsampling: int, options: dict[str, object], mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (61, 83, 3), dtype=np.uint8)
    if mode == "RGB":
        options = options | {"subsampling": subsampling}
    data = encoded(PIL.Image.fromarray(noise).convert(mode), "JPEG", **options)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        np.testing.assert_array_equal(decode(data, LIMITS).pixels, np.asarray(picture.convert("RGB")))


def test_jpegs_with_stray_bytes_between_segments() -> None:
    data = encoded(gradient(), "JPEG", quality=95)
    second = 4 + int.from_bytes(data[4:6], "big")
    odd = data[:second] + b"\x00\x00" + data[second:]  # stray bytes between two segments
    np.testing.assert_array_equal(decode(odd, LIMITS).pixels, decode(data, LIMITS).pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation: int) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    picture = PIL.Image.new("RGB", (40, 20), "blue")
    picture.paste("red", (0, 0, 10, 10))
    image = decode(encoded(picture, "JPEG", exif=exif, quality=95), LIMITS)
    assert (image.height, image.width) == ((20, 40) if orientation <= 4 else (40, 20))
    # Where the EXIF specification puts row 0, column 0 of the stored image.
    top = orientation in (1, 2, 5, 6)
    left = orientation in (1, 4, 5, 8)
    y, x = 3 if top else image.height - 4, 3 if left else image.width - 4
    assert image.pixels[y, x, 0] > 200


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr"])
def test_other_colour_models_become_rgb(mode: str) -> None:
    form = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    image = decode(encoded(PIL.Image.new("RGB", (8, 8), "white").convert(mode), form), LIMITS)
    assert image.pixels.shape == (8, 8, 3)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.min() > 250
    assert bool(image.notes) == (mode == "CMYK")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_becomes_white(mode: str) -> None:
    picture = PIL.Image.new("RGBA", (8, 8), (255, 0, 0, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 4, 8))
    if mode == "PA":
        picture = picture.quantize(8)
    image = decode(encoded(picture if mode == "PA" else picture.convert(mode), "PNG"), LIMITS)
    assert (image.pixels[:, :4] > 250).all()
    assert image.pixels[4, 6, 1] < 130
    assert "transparent" in image.notes[0]


def test_sixteen_bits_become_eight() -> None:
    grey = np.linspace(0, 65535, 64).reshape(8, 8).astype(np.uint16)
    image = decode(encoded(PIL.Image.fromarray(grey), "PNG"), LIMITS)
    np.testing.assert_array_equal(image.pixels[..., 0], grey >> 8)
    assert "16 bits" in image.notes[0]


@pytest.mark.parametrize("form", ["WEBP", "PNG"])
def test_only_the_first_frame_of_an_animation_is_used_and_noted(form: str) -> None:
    frames = [PIL.Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:], lossless=True)
    image = decode(data, LIMITS)
    assert tuple(image.pixels[0, 0]) == (255, 0, 0)
    assert "first of 3 frames" in image.notes[0]


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_types_are_refused(form: str) -> None:
    with pytest.raises(UnsupportedImage) as raised:
        decode(encoded(gradient(), form), LIMITS)
    assert raised.value.field == "image"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_truncated_images_are_refused(form: str, share: float) -> None:
    noise = PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8))
    data = encoded(noise, form)
    with pytest.raises(UndecodableImage):
        decode(data[: max(12, int(len(data) * share))], LIMITS)


def test_an_empty_body_is_refused() -> None:
    with pytest.raises(UndecodableImage):
        decode(b"", LIMITS)


def test_too_many_bytes() -> None:
    with pytest.raises(TooLarge) as raised:
        decode(b"\xff" * 1_000_001, LIMITS)
    assert (raised.value.limit, raised.value.value) == (1_000_000, 1_000_001)


def png_header(width: int, height: int) -> bytes:
    """A PNG of which there is nothing but the header."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def test_pixels_are_counted_before_decoding() -> None:
    with pytest.raises(TooLarge) as raised:
        decode(png_header(50_000, 50_000), LIMITS)
    assert (raised.value.limit, raised.value.value) == (1_000_000, 2_500_000_000)


@given(st.sampled_from(["JPEG", "PNG", "WEBP"]), st.data())
def test_damaged_images_raise_our_errors_or_decode(form: str, draw: st.DataObject) -> None:
    data = bytearray(encoded(gradient(), form))
    for _ in range(draw.draw(st.integers(1, 8))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        image = decode(bytes(data), LIMITS)
    except HisegError as error:
        assert error.field == "image"  # noqa: PT017 (either outcome is right)
    else:
        assert image.pixels.ndim == 3


OURS = re.compile(
    r"the (JPEG|PNG|WEBP) image (cannot be decoded: its? |has \d)|this is |the image (is (none of|empty)|has \d+ x \d+)"
)
"""How our own messages begin."""
THEIRS = re.compile(
    r"0x|PIL|[Pp]illow|jpeg_|simplejpeg|tj[A-Z]|OpenCV|cv2|Plugin|Error|Exception|None|object|[A-Z]_[A-Z]|__|b'|[<>{}]"
)
"""Words of libraries and of Python."""


def test_messages_of_damaged_files_are_our_own() -> None:
    kinds = [
        encoded(gradient(), "JPEG", exif=PIL.Image.Exif(), comment=b"comment"),
        encoded(gradient(), "JPEG", progressive=True, restart_marker_blocks=1, icc_profile=bytes(99)),
        encoded(gradient().convert("CMYK"), "JPEG"),
        encoded(gradient(), "PNG", dpi=(72, 72), icc_profile=bytes(99)),
        encoded(gradient().quantize(9), "PNG", transparency=1),
        encoded(gradient(), "WEBP", lossless=True, xmp=b"xmp"),
        encoded(gradient().convert("RGBA"), "WEBP"),
        encoded(gradient(), "WEBP", save_all=True, append_images=[gradient().rotate(90)]),
    ]
    random = np.random.default_rng(0)
    messages = set()
    for data in kinds:
        for at in random.integers(0, len(data), 150):
            behind = at + int(random.integers(1, 9))
            flipped = data[:at] + bytes([data[at] ^ 1 << int(random.integers(8))]) + data[at + 1 :]
            for odd in (data[:at], flipped, data[:at] + data[behind:], data[:at] + random.bytes(4) + data[at + 4 :]):
                try:
                    decode(odd, LIMITS)
                except HisegError as error:
                    messages.add(error.detail)
    assert len(messages) > 20
    for message in messages:
        assert OURS.match(message), message
        assert not THEIRS.search(message), message
        assert message.isascii(), message
        assert message.isprintable(), message
