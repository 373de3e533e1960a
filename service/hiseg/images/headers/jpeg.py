"""Reads the header of a JPEG: the segments up to its first scan, from one length to the next.

Between segments there may be padding and stray bytes, which are skipped at the speed of C and counted.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from hiseg.images.headers.header import Header, Span, cut
from hiseg.images.headers.orientation import MAX_EXIF_BYTES, find_orientation
from hiseg.images.limits import MAX_PARTS, MAX_STRAY_BYTES, MAX_TABLE_BYTES, check_count, damaged

KIND = "JPEG"
SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame, of each way to code one."""
SOS = 0xDA
DRI = 0xDD
"""Says after how many blocks there is a restart marker."""
_DHT, _DAC, _DQT, _DNL = 0xC4, 0xCC, 0xDB, 0xDC
_TABLES = frozenset((_DHT, _DAC, _DQT, DRI))
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_ORDINARY = frozenset((0xC0, 0xC1, 0xC2, 0xC9, 0xCA))
"""Sequential and progressive, with Huffman or arithmetic codes."""
_UNREAD = {
    **dict.fromkeys((0xC3, 0xCB), "lossless"),
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE), "hierarchical"),
    0xF7: "JPEG-LS",
}
"""What no browser reads either: markers of a frame, and the kind of the image."""
APP0, _APP1, _APP2, APP14, _APP15, _COM = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF, 0xFE
_STANDALONE = frozenset((0x00, 0x01, *range(0xD0, 0xD8)))
"""Not the beginning of a segment: an escaped FF, TEM, and restart markers, which belong into a scan."""
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}
_EXIF, _EXIF_MARK_BYTES = b"Exif\x00", 6
"""Browsers don't look at the last byte of EXIF's mark."""
_JFIF, _ADOBE = b"JFIF", b"Adobe"
_ICC = b"ICC_PROFILE\x00"
_LUMA_SAMPLINGS = (0x11, 0x21, 0x12, 0x22, 0x41)
"""Horizontal and vertical factor of what is sampled most, of 4:4:4, 4:2:2, 4:4:0, 4:2:0 and 4:1:1."""
_SAMPLINGS = {
    "RGB": {bytes([luma, 0x11, 0x11]) for luma in _LUMA_SAMPLINGS},
    "CMYK": {bytes([luma, 0x11, 0x11, luma]) for luma in _LUMA_SAMPLINGS},
}
"""Those of all colours."""
_FILL = re.compile(rb"\xff+")


@dataclass(frozen=True, slots=True)
class _Frame:
    """The header of a frame: the marker that tells how it is coded, Pillow's mode, the size, a byte for each colour."""

    marker: int
    mode: str
    width: int
    height: int
    sampling: bytes

    @classmethod
    def read(cls, marker: int, body: bytes) -> _Frame:
        """Read it without its length.

        Raises:
            UndecodableImage: it is cut off, or of a kind that isn't read.
        """
        if len(body) < 6 or len(body) < 6 + 3 * body[5]:
            raise damaged(KIND, "its size is cut off")
        bits, height, width, colours = struct.unpack_from(">BHHB", body)
        if bits != 8:
            raise damaged(KIND, f"it has {bits} bits a colour; 8 are read")
        if colours not in _MODES:
            raise damaged(KIND, f"it has {colours} colours; 1, 3 or 4 are read")
        if not height:
            raise damaged(KIND, "its height isn't said before its pixels, which isn't read")
        if not width:
            raise damaged(KIND, f"its size is {width} x {height}")
        return cls(marker, _MODES[colours], width, height, body[7 : 6 + 3 * colours : 3])

    @property
    def samples(self) -> float:
        """Numbers for each pixel."""
        across, down = [each >> 4 for each in self.sampling], [each & 15 for each in self.sampling]
        largest = max(1, max(across) * max(down))
        return sum(x * y for x, y in zip(across, down, strict=True)) / largest


def read_jpeg(data: bytes) -> Header:
    """Read the header of a JPEG.

    Raises:
        UndecodableImage: it is damaged, of a kind that isn't read, or has too many parts.
    """
    frame: _Frame | None = None
    kept: list[Span] = []
    exif: Span | None = None
    icc: dict[int, Span] = {}
    at, stray, tables, marker = 2, 0, 0, 0
    for part in range(MAX_PARTS + 2):
        check_count(part, MAX_PARTS, KIND, "segments before its pixels")
        begin, after = _next_marker(data, at, MAX_STRAY_BYTES - stray)
        stray += max(0, after - at - 2)
        check_count(stray, MAX_STRAY_BYTES, KIND, "bytes between its segments")
        marker = data[after - 1]
        if marker in _STANDALONE:
            at = after
            continue
        if marker == SOS:
            at = begin
            break
        start = after + 2
        at = max(start, after + (data[after] << 8 | data[after + 1] if start <= len(data) else 0))
        if at > len(data):
            raise damaged(KIND, "it ends before its pixels, or the length of a segment is wrong")
        if marker in _UNREAD:
            raise damaged(KIND, f"it is of the kind {_UNREAD[marker]}, which isn't read")
        if marker in SOF_MARKERS:
            if frame:
                raise damaged(KIND, "it has more than one frame")
            frame = _Frame.read(marker, data[start:at])
            kept.append((after - 2, at))
        elif marker in _TABLES:
            tables += at - start
            check_count(tables, MAX_TABLE_BYTES, KIND, "bytes of tables before its pixels")
            kept.append((after - 2, at))
        elif marker == _APP1 and data.startswith(_EXIF, start):
            exif = exif or (start + _EXIF_MARK_BYTES, at)
        elif marker == _APP2 and data.startswith(_ICC, start) and start + len(_ICC) + 2 <= at:
            icc.setdefault(data[start + len(_ICC)], (start + len(_ICC) + 2, at))  # behind its number and how many
        elif (marker == APP0 and data.startswith(_JFIF, start)) or (marker == APP14 and data.startswith(_ADOBE, start)):
            kept.append((after - 2, at))
        elif not (APP0 <= marker <= _APP15 or marker in (_COM, _DNL)):
            raise damaged(KIND, f"it has a segment of the kind {marker:02x}, which isn't read")
    if frame is None:
        raise damaged(KIND, "it has pixels before their size")
    return Header(
        KIND,
        frame.mode,
        frame.width,
        frame.height,
        pixels_at=at,
        kept=tuple(kept),
        orientation=find_orientation(cut(data, exif, MAX_EXIF_BYTES)),
        profile=tuple(icc[number] for number in sorted(icc)),
        # As libjpeg tells: then it also reads what other scans there are.
        in_passes=frame.marker in _PROGRESSIVE or data[at + 4 : at + 5] < bytes([len(frame.sampling)]),
        samples=frame.samples,
        is_plain=frame.marker in _ORDINARY and frame.sampling in _SAMPLINGS.get(frame.mode, {frame.sampling}),
    )


def _next_marker(data: bytes, at: int, most: int) -> Span:
    """Find the marker at or after ``at``: where it begins, without padding, and the byte after it.

    Args:
        data: the file.
        at: where to begin.
        most: about how many bytes before it may be skipped.

    Raises:
        UndecodableImage: there is none within ``most`` bytes, or not in the file.
    """
    if len(data) > at + 1 and data[at] == 0xFF and data[at + 1] != 0xFF:
        return at, at + 2
    last = at + most + 2
    begin = data.find(b"\xff", at, last)
    fill = _FILL.match(data, begin, last) if begin >= 0 else None
    if fill is None or fill.end() >= len(data):
        check_count(min(last, len(data)) - at, most, KIND, "bytes between its segments")
        raise damaged(KIND, "it ends before its pixels")
    return fill.end() - 1, fill.end() + 1
