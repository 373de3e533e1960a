"""Sinks that need no codec: raw frames for the next program in a pipe, masks as JSON lines, several sinks as one."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from hiseg.video.errors import VideoError
from hiseg.video.frame import Annotated, Sink


class RawSink:
    """RGB24 frames, one after the other, on standard output."""

    def __init__(self) -> None:
        # Not sys.stdout's buffer: what is left in that when the reader has gone would be complained about at exit.
        self._stream = open(sys.stdout.fileno(), "wb", buffering=0, closefd=False)  # noqa: SIM115

    def write(self, annotated: Annotated) -> None:
        rest = annotated.drawn.data.cast("B")
        while rest:
            try:
                rest = rest[self._stream.write(rest) :]
            except OSError as error:
                raise VideoError(f"standard output can't be written: {error.strerror}") from error

    def close(self) -> None:
        self._stream.close()


class LineSink:
    """Masks, one line a frame; the file is made at the first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def write(self, annotated: Annotated) -> None:
        try:
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(annotated.line)
        except OSError as error:
            raise self._failed(error) from error

    def close(self) -> None:
        try:
            if self._file is not None:
                self._file.close()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> VideoError:
        return VideoError(f"{self._path} can't be written: {error.strerror}")


class Sinks:
    """Every frame to each of them."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks

    def write(self, annotated: Annotated) -> None:
        for sink in self._sinks:
            sink.write(annotated)

    def close(self) -> None:
        with ExitStack() as stack:
            for sink in self._sinks:
                stack.callback(sink.close)
