"""Takes an ICC profile out of a file, and of it only what tells how colours are to be shown.

A profile is a file of its own, made by whoever sends it. littlecms reads all of its parts that it has a use for, some
of which cost as much as their writer likes; so it gets no others than those for the one conversion that is wanted.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from hiseg.images.headers.header import Header, Span

MAX_PROFILE_BYTES = 2**22
"""Most bytes of a profile, unpacked: those of cameras and screens have up to 100 KB, of printing presses 2 MB."""
MAX_PROFILE_TAGS = 100
"""Most parts of a profile, as littlecms has it; the longest have about 40."""
_MOST_NAME_CHARACTERS = 40
_MOST_NAME_RECORDS = 64
_HEADER_BYTES = 128
_TAG = struct.Struct(">4sII")
_SHOWN = (b"mntr", b"scnr", b"prtr", b"spac")
"""Classes of profiles of colours; the others are of single colours, or of changes to them."""
_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK"}
_TAKEN_FROM = {"RGB": ("RGB",), "L": ("L", "RGB"), "CMYK": ("CMYK",)}
"""Pillow's modes of profiles that an image of a mode may have: grey has its place among colours, as browsers do it."""
_CURVES = frozenset((b"rTRC", b"gTRC", b"bTRC", b"kTRC"))
_CURVES_AND_COLOURS = (b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt", b"chad", *sorted(_CURVES))
_TABLE, _COLORIMETRIC_TABLE = b"A2B0", b"A2B1"
"""The table for the rendering intent "perceptual", and for all intents if it is the only one; and the one for another
intent, which browsers take too."""


class UnusableProfile(Exception):
    """A profile that can't be used, and why: half a sentence."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile with no more in it than the conversion needs.

    Attributes:
        name: what it calls itself, made fit to be shown.
        mode: Pillow's name of its colour model: ``RGB``, ``L`` or ``CMYK``.
        data: the profile.
    """

    name: str
    mode: str
    data: bytes


def unpack(data: bytes, header: Header) -> bytes:
    """The bytes of a file's profile, joined and unpacked but not checked.

    Raises:
        UnusableProfile: parts are missing, or it is damaged or too large.
    """
    spans = header.profile
    if header.kind == "JPEG":
        counts = {data[begin - 1] for begin, _ in spans}
        if counts != {len(spans)} or [data[begin - 2] for begin, _ in spans] != list(range(1, len(spans) + 1)):
            raise UnusableProfile("parts of it are missing")
    size = sum(end - begin for begin, end in spans)
    if header.kind == "PNG":
        return _inflate(data, spans[0])
    if size > MAX_PROFILE_BYTES:
        raise _too_large(size)
    return b"".join(data[begin:end] for begin, end in spans)


def _inflate(data: bytes, span: Span) -> bytes:
    """Unpack a PNG's profile, which stands behind a name and the number of the way of packing; there is one way."""
    begin, end = span
    name_end = data.find(b"\0", begin, min(end, begin + 80))
    if name_end < 0 or data[name_end + 1 : name_end + 2] != b"\0":
        raise UnusableProfile("it is packed in an unknown way")
    unpacker = zlib.decompressobj()
    try:
        # Also one whose end is missing: what counts is whether the profile is whole.
        profile = unpacker.decompress(data[name_end + 2 : end], MAX_PROFILE_BYTES + 1)
    except zlib.error as error:
        raise UnusableProfile("it is damaged") from error
    if len(profile) > MAX_PROFILE_BYTES:
        declared = int.from_bytes(profile[:4], "big")
        if not _HEADER_BYTES < declared <= MAX_PROFILE_BYTES:
            raise _too_large(len(profile))
        return profile[:declared]  # without padding
    return profile


def _too_large(size: int) -> UnusableProfile:
    return UnusableProfile(f"it has {size} bytes or more; at most {MAX_PROFILE_BYTES} are read")


def tidy(profile: bytes, mode: str) -> Profile:
    """Make a profile of the parts that showing an image needs.

    Args:
        profile: the whole profile.
        mode: Pillow's name of the image's colour model: ``RGB``, ``L`` or ``CMYK``.

    Raises:
        UnusableProfile: it is damaged, or not of colours of such an image.
    """
    if len(profile) < _HEADER_BYTES + 4:
        raise UnusableProfile("it is cut off" if profile else "it is empty")
    size, version = struct.unpack_from(">I4xB", profile)
    kind, space, connection, signature = (profile[at : at + 4] for at in (12, 16, 20, 36))
    if signature != b"acsp" or version > 4:
        raise UnusableProfile("it is none of ICC's, or of a later version than 4")
    if not _HEADER_BYTES + 4 <= size <= len(profile):
        raise UnusableProfile("it is cut off")
    if kind not in _SHOWN or connection not in (b"XYZ ", b"Lab ") or space not in _SPACES:
        raise UnusableProfile("it isn't of colours as images have them")
    if _SPACES[space] not in _TAKEN_FROM[mode]:
        raise UnusableProfile(f"it is for {_named(_SPACES[space])}, and the image is {_named(mode)}")
    tags = dict(_tags(profile[:size]))
    if _TABLE not in tags and _COLORIMETRIC_TABLE in tags and not tags.keys() & _CURVES:
        tags[_TABLE] = tags[_COLORIMETRIC_TABLE]
    needed = (_TABLE,) if _TABLE in tags else _CURVES_AND_COLOURS
    parts = {name: tags[name] for name in needed if name in tags}
    if sum(map(len, parts.values())) > MAX_PROFILE_BYTES:
        raise UnusableProfile("its parts lie over each other")
    return Profile(_name(tags.get(b"desc", b"")), _SPACES[space], _join(profile, parts))


def _named(mode: str) -> str:
    return "grey" if mode == "L" else mode


def _tags(profile: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The parts of a profile that lie inside it and may be needed, by name."""
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    if count > MAX_PROFILE_TAGS:
        raise UnusableProfile(f"it has {count} parts; at most {MAX_PROFILE_TAGS} are read")
    for index in range(min(count, (len(profile) - _HEADER_BYTES - 4) // _TAG.size)):
        name, at, size = _TAG.unpack_from(profile, _HEADER_BYTES + 4 + index * _TAG.size)
        if name in (*_CURVES_AND_COLOURS, _TABLE, _COLORIMETRIC_TABLE, b"desc") and at + size <= len(profile):
            yield name, profile[at : at + size]


def _join(profile: bytes, parts: dict[bytes, bytes]) -> bytes:
    """A profile with the header of another one and these parts."""
    at = _HEADER_BYTES + 4 + len(parts) * _TAG.size
    table, bodies = [], []
    for name, body in parts.items():
        table.append(_TAG.pack(name, at, len(body)))
        bodies.append(body + b"\0" * (-len(body) % 4))
        at += len(bodies[-1])
    return b"".join((struct.pack(">I", at), profile[4:_HEADER_BYTES], struct.pack(">I", len(parts)), *table, *bodies))


def _name(description: bytes) -> str:
    """Read a description, of ICC's version 2 or 4, as one short line; what can't be shown is left out."""
    text = ""
    if description.startswith(b"desc") and len(description) > 12:
        (length,) = struct.unpack_from(">I", description, 8)
        text = description[12 : 12 + min(length, 4 * _MOST_NAME_CHARACTERS)].partition(b"\0")[0].decode("latin-1")
    elif description.startswith(b"mluc") and len(description) >= 28:
        (count,) = struct.unpack_from(">I", description, 8)
        records = [
            struct.unpack_from(">2sxxII", description, at)
            for at in range(16, min(len(description) - 11, 16 + 12 * min(count, _MOST_NAME_RECORDS)), 12)
        ]
        _, length, at = next((each for each in records if each[0] == b"en"), (*records, (b"", 0, 0))[0])
        text = description[at : at + min(length, 8 * _MOST_NAME_CHARACTERS)].decode("utf-16-be", "ignore")
    shown = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return shown[: _MOST_NAME_CHARACTERS - 1] + "…" if len(shown) > _MOST_NAME_CHARACTERS else shown
