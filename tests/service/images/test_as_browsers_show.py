"""Images are the right way up, pixel by pixel, as a browser shows them: in the service and in the client alike."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import PIL.Image
import pytest
from playwright.sync_api import Page

from hiseg.client.images import to_upright_rgb
from hiseg.core.image import Pixels
from hiseg.images.encoded import inspect
from tests.browser import open_browser, shown
from tests.service.images.files import (
    LIMITS,
    chunk,
    encoded,
    inserted,
    segment,
    three_bytes,
    tiff,
    turned,
    webp,
    webp_chunk,
)

SIZES = [(48, 32), (33, 17), (1, 24), (24, 1), (1, 1)]
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
MARK = b"Exif\0\0"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with open_browser() as browser:
        yield browser.new_page()


def picture(width: int = 48, height: int = 32) -> PIL.Image.Image:
    """No two of its eight orientations look the same."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[: height // 2, :, 0] = 255
    pixels[:, : width // 3, 1] = 255
    pixels[: height // 4, width // 2 :, 2] = 255
    return PIL.Image.fromarray(pixels)


def with_exif(form: str, exif: bytes, size: tuple[int, int] = (48, 32)) -> bytes:
    """A file of a picture with EXIF in the usual place."""
    plain = encoded(picture(*size), form, lossless=True, quality=95)
    if form == "JPEG":
        return inserted(plain, segment(0xE1, MARK + exif))
    if form == "PNG":
        return before_pixels(plain, chunk(b"eXIf", exif))
    head = webp_chunk(b"VP8X", b"\x08\0\0\0" + three_bytes(size[0] - 1, size[1] - 1))
    return webp(head, plain[12:], webp_chunk(b"EXIF", exif))


def before_pixels(png: bytes, chunks: bytes) -> bytes:
    at = png.index(b"IDAT") - 4
    return png[:at] + chunks + png[at:]


def read(data: bytes) -> Pixels:
    """The pixels as service and client read them."""
    image = inspect(data, LIMITS)
    pixels = image.decode().pixels
    assert (image.height, image.width) == pixels.shape[:2]
    np.testing.assert_array_equal(to_upright_rgb(data), pixels)
    return pixels


def assert_alike(pixels: Pixels, theirs: Pixels | None) -> None:
    assert theirs is not None
    assert pixels.shape == theirs.shape
    assert np.abs(pixels.astype(int) - theirs).mean() < 3


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("size", SIZES)
def test_all_orientations_are_as_the_browser_shows_them(page: Page, form: str, size: tuple[int, int]) -> None:
    for orientation in range(10):
        data = with_exif(form, turned(orientation), size)
        assert_alike(read(data), shown(page, data))


@pytest.mark.parametrize("size", SIZES)
def test_a_webp_is_turned_as_a_png_and_says_so(size: tuple[int, int]) -> None:
    """OpenCV, Pillow and viewers on the desktop turn it; the playground's page lets the service draw it therefore."""
    for orientation in range(10):
        data = with_exif("WEBP", turned(orientation), size)
        np.testing.assert_array_equal(read(data), read(with_exif("PNG", turned(orientation), size)))
        notes = inspect(data, LIMITS).decode().notes
        assert bool(notes) == (2 <= orientation <= 8)
        assert all("browsers" in note for note in notes)


def odd_jpegs() -> Iterator[tuple[str, bytes]]:
    """JPEGs whose orientation stands in an unusual place, or is not what it should be."""
    plain = encoded(picture(), "JPEG", quality=95)
    scan = plain.index(b"\xff\xda")

    def app1(*bodies: bytes) -> bytes:
        return inserted(plain, b"".join(segment(0xE1, body) for body in bodies))

    for form, value in itertools.product((1, 2, 4, 7, 8, 9), (b"\6\0\0\0", b"\0\0\0\6")):
        for order in "<>":
            yield f"type {form} {value!r} {order}", app1(MARK + tiff((0x0112, form, 1, value), order=order))
    for count in (0, 2):
        yield f"{count} numbers", app1(MARK + tiff((0x0112, 3, count, b"\6\0\6\0")))
    yield "two of EXIF", app1(MARK + turned(6), MARK + turned(3))
    yield "EXIF without it, then with", app1(MARK + tiff((0x010F, 2, 3, b"me\0\0")), MARK + turned(3))
    yield "garbage, then EXIF", app1(MARK + b"garbage", MARK + turned(3))
    yield "XMP, then EXIF", app1(b"http://ns.adobe.com/xap/1.0/\0" + XMP, MARK + turned(8))
    yield "XMP alone", app1(b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    yield (
        "an ICC profile, then EXIF",
        inserted(plain, segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200)) + segment(0xE1, MARK + turned(6))),
    )
    for mark in (b"Exif\0\xff", b"Exif\0\1", b"exif\0\0", b"EXIF\0\0", b"Exif\0", MARK + MARK, MARK + b"\0\0", b""):
        yield f"mark {mark!r}", app1(mark + turned(6))
    yield "in another segment", inserted(plain, segment(0xE0, MARK + turned(6)))
    yield "before the pixels", plain[:scan] + segment(0xE1, MARK + turned(6)) + plain[scan:]
    yield "behind the pixels", plain[:-2] + segment(0xE1, MARK + turned(6)) + plain[-2:]
    yield "behind the end", plain + segment(0xE1, MARK + turned(6))
    yield "behind padding", inserted(plain, b"\xff\xff\xff" + segment(0xE1, MARK + turned(6)))
    yield "twice, the first wrong", app1(MARK + tiff((0x0112, 3, 1, b"\x09\0\0\0"), (0x0112, 3, 1, b"\6\0\0\0")))
    yield "of the thumbnail", app1(MARK + tiff(after=turned(6)[8:]))
    for length in range(8, len(turned(6))):
        yield f"{length} bytes of EXIF", app1(MARK + turned(6)[:length])


def odd_pngs() -> Iterator[tuple[str, bytes]]:
    """PNGs whose orientation stands in an unusual place, or is not what it should be."""
    plain = encoded(picture(), "PNG")
    raw = b"\nexif\n%8d\n%s\n" % (len(MARK + turned(6)), (MARK + turned(6)).hex().encode())
    yield "as ImageMagick wrote it", before_pixels(plain, chunk(b"tEXt", b"Raw profile type exif\0" + raw))
    yield "packed so", before_pixels(plain, chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw)))
    yield "in XMP", before_pixels(plain, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    yield "with a mark", before_pixels(plain, chunk(b"eXIf", MARK + turned(6)))
    yield "two of EXIF", before_pixels(plain, chunk(b"eXIf", turned(6)) + chunk(b"eXIf", turned(3)))
    yield "another chunk", before_pixels(plain, chunk(b"zxIf", turned(6)))
    yield "behind the pixels", plain[:-12] + chunk(b"eXIf", turned(6)) + plain[-12:]
    yield "before and behind them", before_pixels(plain, chunk(b"eXIf", turned(8)))[:-12] + chunk(b"eXIf", turned(6))
    for form in (1, 4, 8):
        yield f"type {form}", before_pixels(plain, chunk(b"eXIf", tiff((0x0112, form, 1, b"\6\0\0\0"))))
    yield (
        "another order of bytes",
        before_pixels(plain, chunk(b"eXIf", tiff((0x0112, 3, 1, struct.pack(">HH", 6, 0)), order=">"))),
    )


def test_orientations_in_odd_places_count_where_the_browser_counts_them(page: Page) -> None:
    for name, data in itertools.chain(odd_jpegs(), odd_pngs()):
        theirs = shown(page, data)
        assert theirs is not None, name
        pixels = read(data)
        assert pixels.shape == theirs.shape, name
        assert np.abs(pixels.astype(int) - theirs).mean() < 3, name


def test_exif_that_a_webp_does_not_announce_does_not_count() -> None:
    lossless = encoded(picture(), "WEBP", lossless=True)
    head = webp_chunk(b"VP8X", bytes(4) + three_bytes(47, 31))
    exif = webp_chunk(b"EXIF", turned(6))
    xmp = webp(webp_chunk(b"VP8X", b"\4\0\0\0" + three_bytes(47, 31)), lossless[12:], webp_chunk(b"XMP ", XMP))
    for data in (webp(head, lossless[12:], exif), webp(lossless[12:], exif), xmp):
        np.testing.assert_array_equal(read(data), np.asarray(picture()))
    marked = with_exif("WEBP", MARK + turned(6))
    np.testing.assert_array_equal(read(marked), read(with_exif("PNG", turned(6))))


def odd_files() -> Iterator[tuple[str, bytes]]:
    """Files with something wrong or unusual that is no reason not to show them."""
    jpeg, png, webp_file = (encoded(picture(), form, quality=95, lossless=True) for form in ("JPEG", "PNG", "WEBP"))
    wrong = chunk(b"tEXt", b"a\0b")[:-1] + b"\0"
    packed = zlib.compress(bytes(9_000_000))
    yield "behind the end", jpeg + bytes(500) + jpeg
    yield "fill bytes", inserted(jpeg, b"\xff" * 9)
    yield "a segment without a length", inserted(jpeg, b"\xff\xe5\0\0")
    yield "a segment longer than it says", inserted(jpeg, b"\xff\xe5\0\5abcdefghi")
    yield "an immense profile", inserted(jpeg, segment(0xE2, b"ICC_PROFILE\0\1\xff" + bytes(65_000)) * 30)
    yield "immense XMP", inserted(jpeg, segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0".ljust(65_000)) * 30)
    yield "an unknown version", jpeg.replace(b"JFIF\0\1", b"JFIF\0\7")
    yield "an unknown transform", inserted(jpeg, segment(0xEE, b"Adobe\0\x64\0\0\0\0\x09"))
    yield "padding before the end", jpeg[:-2] + bytes(500) + jpeg[-2:]
    yield "a progressive one without its end", encoded(picture(), "JPEG", quality=95, progressive=True)[:-2]
    yield "no end", png[:-12]
    yield "half an end", png[:-5]
    yield "something behind the end", png + bytes(500)
    yield "a wrong checksum of text", before_pixels(png, wrong)
    yield "a wrong checksum of EXIF", before_pixels(png, chunk(b"eXIf", turned(6))[:-1] + b"\0")
    yield "a wrong checksum of pixels", png[:-13] + bytes([png[-13] ^ 255]) + png[-12:]
    yield "half a transparent colour", before_pixels(png, chunk(b"tRNS", b"\0\1\0"))
    yield "immense text", before_pixels(png, chunk(b"zTXt", b"k\0\0" + packed))
    yield "a profile packed in an unknown way", before_pixels(png, chunk(b"iCCP", b"p\0\x09" + packed))
    yield "half a time, an unknown chunk", before_pixels(png, chunk(b"tIME", b"a") + chunk(b"abCd", b"x"))
    yield "something behind a WebP", webp_file + bytes(500)
    yield (
        "an unknown chunk of a WebP",
        webp(webp_chunk(b"VP8X", bytes(4) + three_bytes(47, 31)), webp_chunk(b"ABCD", b"xx"), webp_file[12:]),
    )


def test_what_the_browser_shows_whole_is_taken_and_looks_the_same(page: Page) -> None:
    for name, data in odd_files():
        theirs = shown(page, data)
        assert theirs is not None, name
        pixels = read(data)
        assert pixels.shape == theirs.shape, name
        assert np.abs(pixels.astype(int) - theirs).mean() < 3, name
        assert np.abs(pixels.astype(int) - np.asarray(picture())).mean() < 6, name
