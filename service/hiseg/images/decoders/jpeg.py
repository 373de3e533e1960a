"""Decodes a JPEG, if a smaller image will do at a part of its size, and listens to what libjpeg warns of.

libjpeg fills in what is missing or can't be read, and warns of the first such thing alone. So whatever it would warn of
without harm to pixels is kept from it, and the rule is: what has data for every pixel, and codes that can be read, is
decoded; for what else is odd there is a note.
"""

from __future__ import annotations

import io
import re

import numpy as np
import PIL.Image
import simplejpeg

from hiseg.core.image import Image, Pixels, Size
from hiseg.core.stop import Stop
from hiseg.images.colours.conversion import Conversion
from hiseg.images.decoders.bands import BAND_BYTES, CMYK_NOTE, convert_in_place, to_rgb
from hiseg.images.decoders.jpeg_scans import check_scans, find_end, lacks_detail
from hiseg.images.headers.header import Header
from hiseg.images.headers.jpeg import APP0, APP14, DRI, KIND
from hiseg.images.limits import damaged

_PILLOW_BYTES = {"L": 1, "RGB": 4, "CMYK": 4}
"""Bytes of a pixel in Pillow's own images."""
_END = b"\xff\xd9"
NO_END_NOTE = "end marker missing: all pixels were there"
NO_END_AND_MORE_NOTE = "end marker missing"
LESS_DETAIL_NOTE = "passes missing: it has less detail than it was made with"
_LEFT_OVER = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
"""Warning of data between the last pixel and the end: some cameras pad them so, and some damage ends so."""
_ODD_SCAN = re.compile("Inconsistent progression|Invalid SOS parameters")
"""Warnings of scans that say odd things of themselves; nothing else is heard of then."""
_REASONS = {
    "instead of RST": "its restart markers are missing or out of order",
    "extraneous bytes": "some of its pixels' data can't be read",
    "premature end": "some of its pixels are missing",
    "Premature end": "some of its pixels are missing",
    " code": "some of its pixels' data can't be read",
    "subsampling": "its colours are sampled in an unknown way",
}
"""Words of libjpeg's warnings, and what we say."""
_MOST_CUTS = 2
"""Times that bytes left over are cut off: libjpeg doesn't always count all of them at once, and each is a decoding."""
_WHOLE_SCAN = b"\0\x3f\0"
"""The end of the header of a scan that isn't one of several passes; some cameras write other numbers."""
_JFIF_VERSION, _ADOBE_TRANSFORM = 9, 15
"""Offsets in the segments."""


def decoding_bytes(data: bytes, header: Header, at_least: Size | None) -> int:
    """Most bytes that :func:`decode` takes at once, its result included."""
    height, width = scaled(header, at_least)
    converted = header.mode == "CMYK" or not header.is_plain
    pillow = _PILLOW_BYTES[header.mode] * height * width if converted else 0
    # libjpeg holds an image in passes as 16 bit coefficients, in blocks of up to 32 x 32 pixels.
    blocks = (header.width + 31) * (header.height + 31) * header.in_passes
    copies = 1 + _has_restarts(data, header)  # without metadata, and without what is left over
    return int(3 * height * width + pillow + 2 * header.samples * blocks) + BAND_BYTES + copies * len(data)


def decode(data: bytes, header: Header, at_least: Size | None, conversion: Conversion, stop: Stop) -> Image:
    """Decode a JPEG as it is stored, not rotated, at 1/1, 1/2, 1/4 or 1/8 of its size.

    Args:
        data: the file.
        header: its header.
        at_least: (height, width), as stored, that the result must have at least; None: full size.
        conversion: what makes its colours sRGB.
        stop: looked at between the steps.

    Raises:
        UndecodableImage: it is truncated or damaged, or has too many scans.
        Exception: what :meth:`Stop.check` raises.
    """
    notes: tuple[str, ...] = ()
    ends = data.rfind(_END, header.pixels_at) >= 0
    if header.in_passes:
        check_scans(data, header)
        if lacks_detail(data, header):
            if not ends:
                raise damaged(KIND, "it is damaged: it is cut off between the passes that make it sharp")
            notes += (LESS_DETAIL_NOTE,)
    size = scaled(header, at_least)
    # libjpeg would warn that the end is missing, and then of nothing else.
    tail = b"" if ends else _END
    stream = _without_metadata(data, header, tail)
    first_scan = len(stream) - len(tail) - (len(data) - header.pixels_at) if _has_restarts(data, header) else 0
    if header.mode != "CMYK" and header.is_plain:
        pixels, warning = _decode(stream, "RGB", size, first_scan, stop)
        convert_in_place(pixels, conversion, stop)
        return Image(pixels, notes + _end_note(ends, warning) + warning + conversion.notes)
    if header.is_plain:
        loaded, warning = _load_cmyk(stream, size, first_scan, stop)
    else:
        loaded, warning = _load_with_pillow(stream, size), ()
    notes += _end_note(ends, warning)
    naive = (CMYK_NOTE,) if header.mode == "CMYK" and not conversion.changes else ()

    def read(rows: slice, columns: slice) -> tuple[PIL.Image.Image, None]:
        return conversion.apply(loaded.crop((columns.start, rows.start, columns.stop, rows.stop))), None

    return Image(to_rgb(size, read, stop).pixels, naive + notes + warning + conversion.notes)


def _end_note(ends: bool, warning: tuple[str, ...]) -> tuple[str, ...]:
    """What the caller should know of an end that isn't there."""
    return () if ends else (NO_END_AND_MORE_NOTE if warning else NO_END_NOTE,)


def _decode(stream: bytes, colours: str, size: Size, first_scan: int, stop: Stop) -> tuple[Pixels, tuple[str, ...]]:
    """Decode to (height, width); returns the pixels and what there is to note.

    Args:
        stream: the file.
        colours: ``RGB`` or ``CMYK``.
        size: height and width.
        first_scan: where the first scan begins, if the file has restart markers; else 0.
        stop: looked at before it is decoded once more.

    Raises:
        UndecodableImage: data for some of the pixels are missing, or can't be read.
        Exception: what :meth:`Stop.check` raises.
    """
    pixels = np.empty((*size, len(colours)), dtype=np.uint8)
    warning = _warning(stream, colours, size, pixels)
    left_over = _LEFT_OVER.search(warning)
    if left_over and first_scan:
        warning = _warning_without(int(left_over[1]), stream, first_scan, colours, pixels, stop) or warning
    if not warning:
        return pixels, ()
    if left_over and _LEFT_OVER.search(warning):
        return pixels, (f"{left_over[1]} bytes left over behind the last pixel: it may be damaged",)
    if _ODD_SCAN.search(warning):
        return pixels, ("odd header of a scan: it may be damaged",)
    reason = next((ours for theirs, ours in _REASONS.items() if theirs in warning), "its pixels can't be read")
    raise damaged(KIND, f"it is damaged: {reason}")


def _warning(stream: bytes | bytearray, colours: str, size: Size, pixels: Pixels) -> str:
    """Decode to (height, width) and return what libjpeg warns of first; nothing if all is well."""
    try:
        # A third faster than Pillow, to the same pixels, and it hands on libjpeg's warnings.
        simplejpeg.decode_jpeg(stream, colours, min_height=size[0], min_width=size[1], buffer=pixels)
    except ValueError as error:
        return str(error) or "unknown"
    return ""


def _has_restarts(data: bytes, header: Header) -> bool:
    return any(data[begin + 1] == DRI for begin, _ in header.kept)


def _warning_without(left_over: int, stream: bytes, first_scan: int, colours: str, pixels: Pixels, stop: Stop) -> str:
    """Decode without so many bytes before the end, and return what libjpeg warns of then.

    It says the same of bytes behind the last pixel and of those behind a restart marker that is lost, which were
    pixels; only in the second case something is missing without them.
    """
    end = find_end(stream, first_scan)
    shortened = bytearray(memoryview(stream)[:end]) + _END
    warning = ""
    for _ in range(_MOST_CUTS):
        stop.check()
        end = max(first_scan, end - left_over)
        shortened[end:] = _END
        warning = _warning(shortened, colours, pixels.shape[:2], pixels)
        again = _LEFT_OVER.search(warning)
        if again is None:
            break
        left_over = int(again[1])
    return warning


def _load_cmyk(stream: bytes, size: Size, first_scan: int, stop: Stop) -> tuple[PIL.Image.Image, tuple[str, ...]]:
    """Decode a CMYK image to (height, width), as Pillow has it; returns it and what there is to note."""
    stored, warning = _decode(stream, "CMYK", size, first_scan, stop)
    np.subtract(255, stored, out=stored)  # as Adobe writes it, 255 is no ink
    return PIL.Image.frombuffer("CMYK", size[::-1], stored, "raw", "CMYK", 0, 1), warning


def _load_with_pillow(stream: bytes, size: Size) -> PIL.Image.Image:
    """Decode to (height, width) what the faster library doesn't read; of damage only a missing end is seen."""
    with PIL.Image.open(io.BytesIO(stream), formats=[KIND]) as opened:
        opened.draft(None, size[::-1])
        opened.load()
        return opened


def scaled(header: Header, at_least: Size | None) -> Size:
    """The (height, width) to decode to.

    A half needs no more than ``at_least``; a quarter and an eighth, which lose more, a third more. None of them is
    taken unless it divides the size, since the image would move by a part of a pixel.
    """
    height, width = header.height, header.width
    for part, spare in ((8, 4), (4, 4), (2, 3)):
        divides = header.is_plain and not (height % part or width % part)
        if (
            at_least
            and divides
            and 3 * height >= part * spare * at_least[0]
            and 3 * width >= part * spare * at_least[1]
        ):
            return height // part, width // part
    return height, width


def _without_metadata(data: bytes, header: Header, tail: bytes) -> bytes:
    """The file, and a tail, without what libjpeg and Pillow would look at for other purposes than the pixels."""
    head = b"\xff\xd8" + b"".join(_harmless(data[begin:end], header) for begin, end in header.kept)
    scan = header.pixels_at + 2 + int.from_bytes(data[header.pixels_at + 2 : header.pixels_at + 4], "big")
    head += data[header.pixels_at : scan]
    if not header.in_passes:
        head = head[: -len(_WHOLE_SCAN)] + _WHOLE_SCAN
    if len(head) == scan and data.startswith(head) and not tail:
        return data
    return b"".join((head, memoryview(data)[scan:], tail))


def _harmless(segment: bytes, header: Header) -> bytes:
    """A segment whose version or transform libjpeg doesn't know, with the one that it takes it for."""
    if segment[1] == APP0 and len(segment) > _JFIF_VERSION and segment[_JFIF_VERSION] != 1:
        return segment[:_JFIF_VERSION] + b"\1" + segment[_JFIF_VERSION + 1 :]
    if segment[1] == APP14 and len(segment) > _ADOBE_TRANSFORM:
        known = 2 if header.mode == "CMYK" else 1
        if segment[_ADOBE_TRANSFORM] not in (0, known):
            return segment[:_ADOBE_TRANSFORM] + bytes([known]) + segment[_ADOBE_TRANSFORM + 1 :]
    return segment
