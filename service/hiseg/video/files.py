"""Sinks that need no codec: raw frames for the next program in a pipe, and masks as JSON lines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from hiseg.video.frame import AnnotatedFrame, VideoError


class RawSink:
    """Writes RGB24 frames, one after the other, to standard output."""

    def __init__(self) -> None:
        # Not sys.stdout's buffer: what is left in that when the reader has gone would be complained about at exit.
        self._stream = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115

    def write(self, annotated: AnnotatedFrame) -> None:
        rest = annotated.pixels.data.cast("B")
        while rest:
            try:
                rest = rest[self._stream.write(rest) :]
            except OSError as error:
                raise VideoError(f"standard output can't be written: {error.strerror}") from error

    def close(self) -> None:
        self._stream.close()


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
