"""Decodes a WebP, of an animated one its first frame alone, out of the pixels without any metadata."""

from __future__ import annotations

import threading
from contextlib import nullcontext

import cv2
import numpy as np
import PIL.Image

from hiseg.core.image import Image, Pixels
from hiseg.core.stop import Stop
from hiseg.images.colours.conversion import Conversion
from hiseg.images.decoders.bands import (
    BAND_BYTES,
    OPAQUE,
    TRANSPARENT_NOTE,
    animation_note,
    bands,
    convert_in_place,
    lay_on_white,
)
from hiseg.images.headers.header import Header
from hiseg.images.headers.webp import CHUNK, KIND
from hiseg.images.limits import damaged

MAX_PARALLEL_PIXELS = 2**16
"""Images of more pixels that are lossless, or whose transparency is, are decoded one at a time.

The tables of their codes, 6 KB for each group of codes, aren't counted in :func:`decoding_bytes`: encoders write some
hundred groups, but one for each 16 pixels is allowed, up to 65,536, and how many there are can't be told without
unpacking what stands before them. So a crafted image takes up to 370 MB for them, but no more than one does at once.
"""
NO_END_NOTE = "end missing: all pixels were there"
_ONE_AT_A_TIME = threading.Lock()
_BGR = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_BGRA = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION


def decoding_bytes(data: bytes, header: Header) -> int:
    """Most bytes that :func:`decode` takes at once, its result included; see :data:`MAX_PARALLEL_PIXELS` for more."""
    frame, canvas = header.frame_size[0] * header.frame_size[1], header.width * header.height
    colours = 4 if header.is_transparent else 3
    # Lossless pixels are unpacked as ARGB, and so is the transparency of lossy ones, which also is kept by itself.
    # OpenCV makes a copy of its result.
    unpacked = max(colours, 4 if header.is_lossless else 5 * (len(header.kept) - 1))
    flattened = 4 * canvas if header.is_transparent else 3 * canvas * (canvas != frame)
    return max((colours + unpacked) * frame, colours * frame + flattened) + BAND_BYTES + len(data)


def decode(data: bytes, header: Header, conversion: Conversion, stop: Stop) -> Image:
    """Decode a WebP as it is stored, not rotated.

    Args:
        data: the file.
        header: its header.
        conversion: what makes its colours sRGB.
        stop: looked at between the steps.

    Raises:
        UndecodableImage: it is truncated or damaged.
        Exception: what :meth:`Stop.check` raises.
    """
    frame = _decode_frame(_wrap(data, header), header)
    stop.check()
    alpha = None
    if frame.shape[2] == 4:
        frame, alpha = _flatten(frame, conversion, stop)
    else:
        convert_in_place(frame, conversion, stop)
    if frame.shape[:2] != (header.height, header.width):
        if header.is_transparent and alpha is None:  # another frame is
            alpha = np.full(frame.shape[:2], OPAQUE, dtype=np.uint8)
        frame, alpha = _place(frame, alpha, header)
    is_opaque = alpha is None or int(alpha.min()) == OPAQUE
    notes = animation_note(header.frames) + (() if is_opaque else (TRANSPARENT_NOTE,)) + conversion.notes
    if header.is_cut_off:
        notes += (NO_END_NOTE,)
    return Image(frame, notes, None if is_opaque else alpha)


def _flatten(bgra: Pixels, conversion: Conversion, stop: Stop) -> tuple[Pixels, Pixels]:
    """Lay BGRA ``[H, W, 4]`` on white: RGB ``[H, W, 3]``, and how opaque each pixel was, ``[H, W]``."""
    pixels, alpha = np.empty((*bgra.shape[:2], 3), dtype=np.uint8), np.ascontiguousarray(bgra[..., 3])
    for band in bands(*bgra.shape[:2]):
        stop.check()
        colours = conversion.apply(PIL.Image.fromarray(np.ascontiguousarray(bgra[band][..., 2::-1])))
        colours.putalpha(PIL.Image.fromarray(alpha[band]))
        pixels[band] = lay_on_white(colours)
    return pixels, alpha


def _place(frame: Pixels, alpha: Pixels | None, header: Header) -> tuple[Pixels, Pixels | None]:
    """Put a first frame where it lies on its canvas; the rest is transparent, or black if nothing can be."""
    (left, top), (height, width) = header.frame_at, frame.shape[:2]
    place = slice(top, top + height), slice(left, left + width)
    canvas = np.full((header.height, header.width, 3), 0 if alpha is None else 255, dtype=np.uint8)
    canvas[place] = frame
    if alpha is None:
        return canvas, None
    opacity = np.zeros((header.height, header.width), dtype=np.uint8)
    opacity[place] = alpha
    return canvas, opacity


def _decode_frame(stream: bytes, header: Header) -> Pixels:
    """Decode a still image to RGB ``[H, W, 3]`` or, if it has any transparency that counts, BGRA ``[H, W, 4]``."""
    width, height = header.frame_size
    has_codes = (header.is_lossless or len(header.kept) > 1) and width * height > MAX_PARALLEL_PIXELS
    try:
        # In a fraction of the memory of Pillow, which reads every WebP as an animation, and faster, to the same pixels.
        with _ONE_AT_A_TIME if has_codes else nullcontext():
            decoded = cv2.imdecode(np.frombuffer(stream, dtype=np.uint8), _BGRA if header.is_transparent else _BGR)
    except cv2.error as error:
        raise damaged(KIND, "it is damaged: its pixels can't be read") from error
    if decoded is None or decoded.shape[1::-1] != header.frame_size:
        raise damaged(KIND, "it is damaged: its pixels can't be read")
    pixels = decoded.astype(np.uint8, copy=False)
    if pixels.shape[2] == 3:
        for band in bands(*pixels.shape[:2]):  # OpenCV itself would make a second image
            pixels[band] = cv2.cvtColor(pixels[band], cv2.COLOR_BGR2RGB)
    return pixels


def _wrap(data: bytes, header: Header) -> bytes:
    """Make a file of its own of the pixels, and of the transparency that a lossy image has beside them."""
    chunks: list[bytes | memoryview] = []
    if len(header.kept) > 1:
        width, height = (size - 1 for size in header.frame_size)
        chunks = [CHUNK.pack(b"VP8X", 10), b"\x10\0\0\0", width.to_bytes(3, "little"), height.to_bytes(3, "little")]
    for begin, end in header.kept:
        chunks += [memoryview(data)[begin:end], b"\0" * (end - begin & 1)]
    size = 4 + sum(len(chunk) for chunk in chunks)
    return b"".join((CHUNK.pack(b"RIFF", size), b"WEBP", *chunks))
