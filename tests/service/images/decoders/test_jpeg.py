"""At which part of its size a JPEG is decoded, and what is said of a damaged one."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import numpy as np
import pytest

from hiseg.core.errors import UndecodableImage
from hiseg.images.decoders.jpeg import NO_END_AND_MORE_NOTE, NO_END_NOTE
from hiseg.images.encoded import inspect
from tests.service.images.files import LIMITS, encoded, exif, inserted, picture, segment


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    ("at_least", "size"),
    [
        ((241, 321), (480, 640)),
        ((240, 320), (240, 320)),
        ((90, 120), (120, 160)),
        ((91, 120), (240, 320)),
        ((45, 60), (60, 80)),
        ((1, 1), (60, 80)),
        (None, (480, 640)),
    ],
)
def test_a_smaller_image_will_do(
    mode: str, orientation: int, at_least: tuple[int, int] | None, size: tuple[int, int]
) -> None:
    image = inspect(encoded(picture(mode, 640, 480), "JPEG", exif=exif(orientation)), LIMITS)
    if orientation == 6:
        at_least = (at_least[1], at_least[0]) if at_least else None
    decoded = image.decode(at_least)
    assert decoded.pixels.shape[:2] == (size if orientation == 1 else (size[1], size[0]))
    assert decoded.nbytes <= image.decoding_bytes_for(at_least)
    part = 480 // size[0]
    full = image.decode().pixels.astype(float)
    means = full.reshape(full.shape[0] // part, part, full.shape[1] // part, part, 3).mean(axis=(1, 3))
    assert np.abs(means - decoded.pixels).mean() < 4


def test_a_part_that_does_not_divide_the_size_is_not_taken() -> None:
    image = inspect(encoded(picture("RGB", 636, 476), "JPEG"), LIMITS)
    assert image.decode((1, 1)).pixels.shape[:2] == (119, 159)
    image = inspect(encoded(picture("RGB", 635, 476), "JPEG"), LIMITS)
    assert image.decode((1, 1)).pixels.shape[:2] == (476, 635)


def test_progressive_images_are_counted_with_their_coefficients() -> None:
    sizes = {}
    for subsampling, progressive in ((0, False), (0, True), (2, True)):
        data = encoded(picture("RGB", 640, 480), "JPEG", subsampling=subsampling, progressive=progressive)
        sizes[subsampling, progressive] = inspect(data, LIMITS).decoding_bytes
    pixels = 640 * 480
    assert sizes[0, True] - sizes[0, False] >= 6 * pixels
    assert 3 * pixels <= sizes[2, True] - sizes[0, False] < 4 * pixels


END = b"\xff\xd9"
SIZE = 192, 128
PLAIN = encoded(picture("RGB", *SIZE), "JPEG", quality=90)
RESTARTS = encoded(picture("RGB", *SIZE), "JPEG", quality=90, restart_marker_blocks=2)
GREY = encoded(picture("L", *SIZE), "JPEG", quality=90, restart_marker_blocks=2)
CMYK = encoded(picture("CMYK", *SIZE), "JPEG", quality=90, restart_marker_blocks=2)
PROGRESSIVE = encoded(picture("RGB", *SIZE), "JPEG", quality=90, progressive=True, restart_marker_blocks=2)
KINDS = [RESTARTS, GREY, CMYK, PROGRESSIVE]


def restarts(data: bytes) -> list[int]:
    """Where the restart markers of the first scan are."""
    begin = data.index(b"\xff\xda")
    end = data.find(b"\xff\xc4", begin)
    return [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data[:end]) if match.start() > begin]


def damage(number: int, change: Callable[[bytes, int], bytes]) -> Callable[[bytes], bytes]:
    """Change a file at one of its restart markers."""
    return lambda data: change(data, restarts(data)[number])


DAMAGES = {
    "another marker": damage(3, lambda data, at: data[: at + 1] + b"\xd5" + data[at + 2 :]),
    "no marker": damage(3, lambda data, at: data[:at] + data[at + 2 :]),
    "a marker twice": damage(3, lambda data, at: data[:at] + data[at : at + 2] + data[at:]),
    "two swapped": lambda data: (
        data[: restarts(data)[3] + 1]
        + b"\xd4"
        + data[restarts(data)[3] + 2 : restarts(data)[4] + 1]
        + b"\xd3"
        + data[restarts(data)[4] + 2 :]
    ),
    "no markers at all": lambda data: re.sub(rb"\xff[\xd0-\xd7]", b"", data),
    "not the last marker": damage(-1, lambda data, at: data[:at] + data[at + 2 :]),
    "zeros to the end": damage(9, lambda data, at: data[:at] + bytes(len(data) - at)),
    "an interval lost": lambda data: data[: restarts(data)[3]] + data[restarts(data)[4] :],
    "eight intervals lost": lambda data: data[: restarts(data)[3]] + data[restarts(data)[11] :],
    "half of an interval lost": damage(3, lambda data, at: data[: at + 6] + data[restarts(data)[4] :]),
    "zeros": damage(3, lambda data, at: data[:at] + bytes(40) + data[at + 40 :]),
    "another segment within": damage(3, lambda data, at: data[: at + 5] + segment(0xFE, b"abc") + data[at + 5 :]),
    "cut off": damage(9, lambda data, at: data[:at]),
    "cut off, and an end": damage(9, lambda data, at: data[:at] + END),
    "the last bytes lost, and an end": lambda data: data[:-6] + END,
}


@pytest.mark.parametrize("kind", KINDS, ids=["colour", "grey", "CMYK", "progressive"])
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_of_the_pixels_is_refused_at_every_size(kind: bytes, name: str) -> None:
    """libjpeg decodes all of them to something."""
    image = inspect(DAMAGES[name](kind), LIMITS)
    for at_least in (None, (1, 1)):
        with pytest.raises(UndecodableImage, match="cannot be decoded: it is damaged: ") as raised:
            image.decode(at_least)
        assert raised.value.field == "image"


def test_damage_without_restart_markers_is_refused() -> None:
    middle = (PLAIN.index(b"\xff\xda") + len(PLAIN)) // 2
    for odd in (PLAIN[:middle], PLAIN[:middle] + END, PLAIN[:middle] + b"\xff\xd0" + PLAIN[middle:], PLAIN[:-3] + END):
        with pytest.raises(UndecodableImage, match="it is damaged: some of its pixels are missing"):
            inspect(odd, LIMITS).decode()


@pytest.mark.parametrize("kind", [PLAIN, *KINDS])
@pytest.mark.parametrize("lost", [1, 2])
def test_a_missing_end_marker_is_noted_and_nothing_else(kind: bytes, lost: int) -> None:
    whole, odd = inspect(kind, LIMITS).decode(), inspect(kind[:-lost], LIMITS).decode()
    np.testing.assert_array_equal(odd.pixels, whole.pixels)
    assert odd.notes == (*whole.notes, NO_END_NOTE)


@pytest.mark.parametrize("kind", [PLAIN, *KINDS])
def test_data_left_over_before_the_end_are_noted(kind: bytes) -> None:
    whole = inspect(kind, LIMITS).decode()
    for padding in (bytes(100), b"abcd" * 25):
        odd = inspect(kind[:-2] + padding + END, LIMITS).decode()
        np.testing.assert_array_equal(odd.pixels, whole.pixels)
        assert odd.notes[:-1] == whole.notes
        assert re.fullmatch("[89][0-9]|100", odd.notes[-1].partition(" bytes left over")[0])
    assert inspect(kind[:-2] + b"\xff\xff\xff" + END, LIMITS).decode().notes == whole.notes


def test_data_left_over_without_an_end_are_not_said_to_be_all_pixels() -> None:
    for kind in (PLAIN, *KINDS):
        *_, end, left_over = inspect(kind[:-2] + bytes(500), LIMITS).decode().notes
        assert end == NO_END_AND_MORE_NOTE
        assert "left over" in left_over


def without(data: bytes, marker: int) -> bytes:
    """A file without the segments of a kind."""
    kept, at = data[:2], 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        kept, at = kept + (b"" if data[at + 1] == marker else data[at:end]), end
    return kept + data[at:]


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([transform]))


def odd_scan(data: bytes, numbers: bytes) -> bytes:
    """A file whose first scan has other numbers at the end of its header."""
    end = data.index(b"\xff\xda") + 2
    end += int.from_bytes(data[end : end + 2], "big")
    return data[: end - 3] + numbers + data[end:]


ODD = {
    "a film behind it": PLAIN + bytes(1000) + b"\0\0\0\x18ftypmp42",
    "another image behind it": PLAIN + GREY,
    "padding before a segment": inserted(PLAIN, b"\xff" * 9),
    "stray bytes behind a segment": inserted(PLAIN, segment(0xE5, b"abc") + b"garbage"),
    "a segment without a length": inserted(PLAIN, b"\xff\xe5\0\0"),
    "a segment of length 1": inserted(PLAIN, b"\xff\xe5\0\1"),
    "a segment longer than it says": inserted(PLAIN, b"\xff\xe5\0\5abcdefghijkl"),
    "an empty table": inserted(PLAIN, segment(0xC4, b"")),
    "no tables of codes, as in motion JPEG": without(encoded(picture("RGB", *SIZE), "JPEG", quality=90), 0xC4),
    "Adobe's segment beside JFIF's": inserted(PLAIN, adobe(1)),
    "an unknown transform": inserted(without(PLAIN, 0xE0), adobe(5)),
    "the transform of four colours": inserted(without(PLAIN, 0xE0), adobe(2)),
    "an unknown version": PLAIN.replace(b"JFIF\0\1", b"JFIF\0\7"),
    "no segment of an application": without(PLAIN, 0xE0),
    "an extended frame": PLAIN.replace(b"\xff\xc0\0\x11", b"\xff\xc1\0\x11"),
    "a scan that says that it is a part of itself": odd_scan(PLAIN, b"\0\0\0"),
    "a scan that says that it refines one": odd_scan(PLAIN, b"\1\x3f\x10"),
    "EXIF that ends nowhere": inserted(PLAIN, segment(0xE1, b"Exif\0\0II*\0\xff\xff")),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_without_harm_to_pixels_is_taken_as_it_is(name: str) -> None:
    decoded, plain = inspect(ODD[name], LIMITS).decode(), inspect(PLAIN, LIMITS).decode()
    assert decoded.notes == ()
    if "motion" in name or "another" in name:
        assert decoded.pixels.shape == plain.pixels.shape
    else:
        np.testing.assert_array_equal(decoded.pixels, plain.pixels)


@pytest.mark.parametrize("transform", [1, 3])
def test_an_unknown_transform_of_four_colours_is_taken_as_libjpeg_takes_it(transform: int) -> None:
    data = encoded(picture("CMYK", *SIZE), "JPEG", quality=90)
    at = data.index(b"Adobe") + 11
    known, unknown = (inspect(data[:at] + bytes([each]) + data[at + 1 :], LIMITS).decode() for each in (2, transform))
    np.testing.assert_array_equal(unknown.pixels, known.pixels)
    assert unknown.notes == known.notes


FRAME = PLAIN.index(b"\xff\xc0")


def with_frame(marker: int = 0xC0, bits: int = 8, height: int = SIZE[1]) -> bytes:
    """A file that says something else of itself."""
    return (
        PLAIN[:FRAME]
        + b"\xff"
        + bytes([marker])
        + PLAIN[FRAME + 2 : FRAME + 4]
        + struct.pack(">BH", bits, height)
        + PLAIN[FRAME + 7 :]
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (with_frame(0xC3), "of the kind lossless"),
        (with_frame(0xC5), "of the kind hierarchical"),
        (with_frame(0xF7), "of the kind JPEG-LS"),
        (with_frame(bits=12), "has 12 bits a colour; 8 are read"),
        (with_frame(height=0)[:-2] + segment(0xDC, b"\0\x80") + END, "height isn't said before its pixels"),
        (with_frame(height=4 * SIZE[1]), "some of its pixels are missing"),
        (without(PLAIN, 0xDB), "its pixels can't be read"),
        (with_frame(0xC2), "its pixels can't be read"),
        (inserted(PLAIN, b"\xff\xe5\xff\xff"), "length of a segment is wrong"),
        (b"\xff\xd8" + PLAIN, "ends before its pixels, or"),
        (PLAIN[:FRAME] + PLAIN[FRAME : FRAME + 19] * 2 + PLAIN[FRAME + 19 :], "more than one frame"),
    ],
)
def test_what_browsers_do_not_show_either_is_refused_and_named(data: bytes, words: str) -> None:
    with pytest.raises(UndecodableImage, match=re.escape(words)):
        inspect(data, LIMITS).decode()


def test_odd_numbers_of_a_scan_hide_no_damage() -> None:
    for kind in (RESTARTS, GREY):
        for damaged in (DAMAGES["no marker"](kind), DAMAGES["cut off"](kind)):
            with pytest.raises(UndecodableImage, match="it is damaged"):
                inspect(odd_scan(damaged, b"\0\0\0"), LIMITS).decode()


def test_passes_out_of_order_are_noted() -> None:
    begin, second = (match.start() for match in list(re.finditer(rb"\xff\xda", PROGRESSIVE))[:2])
    between = PROGRESSIVE.rindex(b"\xff\xc4", begin, second)
    twice = PROGRESSIVE[:between] + PROGRESSIVE[begin:between] + PROGRESSIVE[between:]
    assert inspect(twice, LIMITS).decode().notes == ("odd header of a scan: it may be damaged",)


def test_a_height_that_leaves_data_over_is_noted() -> None:
    decoded = inspect(with_frame(height=SIZE[1] // 2), LIMITS).decode()
    assert decoded.pixels.shape == (SIZE[1] // 2, SIZE[0], 3)
    assert "left over" in decoded.notes[0]
