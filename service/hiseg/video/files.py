"""Sinks that need no codec: raw frames for the next program in a pipe, PNG files, and masks as JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from hiseg.video.frame import AnnotatedFrame, VideoError

FAST = (cv2.IMWRITE_PNG_COMPRESSION, 1)
"""A frame has to be written in milliseconds."""


class RawSink:
    """Writes frames as they are drawn, RGB24, RGBA or grey, one after the other, to standard output."""

    def __init__(self) -> None:
        # Not sys.stdout's buffer: what is left in that when the reader has gone would be complained about at exit.
        self._stream = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115

    def write(self, annotated: AnnotatedFrame) -> None:
        rest = np.ascontiguousarray(annotated.pixels).data.cast("B")
        while rest:
            try:
                rest = rest[self._stream.write(rest) :]
            except OSError as error:
                raise VideoError(f"standard output can't be written: {error.strerror}") from error

    def close(self) -> None:
        self._stream.close()


class PictureSink:
    """Writes each frame as a PNG file, numbered from 1 as ffmpeg numbers them.

    Args:
        path: the files, with ``%04d`` or the like in the name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0

    def write(self, annotated: AnnotatedFrame) -> None:
        self._written += 1
        path = self._path.with_name(self._path.name % self._written)
        order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
        pixels = annotated.pixels
        stored = cv2.cvtColor(pixels, order[pixels.shape[2]]) if pixels.ndim == 3 else pixels
        try:
            path.write_bytes(cv2.imencode(".png", stored, FAST)[1].tobytes())
        except OSError as error:
            raise VideoError(f"{path} can't be written: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is open."""


class JsonLinesSink:
    """Writes masks to a file, one line of JSON for each frame; the file is made at the first frame."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, annotated: AnnotatedFrame) -> None:
        try:
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(annotated.json_line)
        except OSError as error:
            raise self._error(error) from error

    def close(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise self._error(error) from error

    def _error(self, error: OSError) -> VideoError:
        return VideoError(f"{self._path} can't be written: {error.strerror}")
