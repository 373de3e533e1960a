"""Reads files, URLs and cameras through FFmpeg's libraries (PyAV)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import Colorspace
from av.video.stream import VideoStream

from hiseg.core.image import Pixels
from hiseg.video.frame import Frame, VideoError, VideoFormat
from hiseg.video.inputs import Input

TIMEOUT_S = 10.0
"""Seconds without data after which a live input counts as gone."""
HD_LINES = 720
"""Frames of this height or more follow BT.709 unless they say otherwise; lower ones BT.601."""
LENGTH_TOLERANCE_S = 0.5
"""Seconds by which a video may be shorter than its header says, since headers aren't exact."""
UNSPECIFIED = 2
"""FFmpeg's AVCOL_SPC_UNSPECIFIED."""
DEFAULT_RATE = Fraction(25)
"""Frames a second of an input that names no rate."""


class VideoReader:
    """Reads a video, upright and in RGB; a :class:`hiseg.video.frame.Source`.

    Args:
        source: what to open.
        every: take every n-th frame only.
        options: FFmpeg's options for cameras: ``video_size``, ``framerate``.

    Raises:
        VideoError: it can't be opened, or has no video in it.
    """

    def __init__(self, source: Input, every: int = 1, options: dict[str, str] | None = None) -> None:
        self._name = source.url
        self._every = every
        self._container = _open(source, options or {})
        try:
            self._stream = _video_stream(self._container, source.url)
            self.live = self._container.duration is None if source.live is None else source.live
            # With frame threads the decoder would be some frames behind.
            self._stream.thread_type = "SLICE" if self.live else "AUTO"
            rate = self._stream.average_rate or self._stream.guessed_rate or DEFAULT_RATE
            time_base = self._stream.time_base or 1 / rate
        except BaseException:
            self._container.close()
            raise
        self.format = VideoFormat(time_base, rate / every, self._stream.sample_aspect_ratio or Fraction(1))
        self._timeline = Timeline(round(1 / rate / time_base))
        self._rate = rate
        self._damaged = 0
        self._packets = 0
        self._end = 0.0
        self._frames = self._decode_all()

    @property
    def frame_bytes(self) -> int:
        return max(1, 3 * self._stream.codec_context.width * self._stream.codec_context.height)

    @property
    def expected(self) -> int | None:
        if self.live:
            return None
        frames = self._stream.frames
        if not frames and self._container.duration:
            frames = int(self._container.duration / av.time_base * self._rate)
        return -(-frames // self._every) or None

    def read(self) -> Frame | None:
        return next(self._frames, None)

    def interrupt(self) -> None:
        """Do nothing: a read that waits is ended by FFmpeg's own timeout alone."""

    def close(self) -> None:
        self._container.close()

    def _decode_all(self) -> Iterator[Frame]:
        number = -1
        try:
            for packet in self._container.demux(self._stream):
                self._packets += packet.size > 0
                for decoded in self._decode(packet):
                    number += 1
                    arrived = time.monotonic()
                    self._damaged += decoded.is_corrupt
                    ticks = self._timeline.next_ticks(decoded.pts)
                    if number % self._every == 0:
                        seconds = float(ticks * self.format.time_base)
                        yield Frame(number, ticks, seconds, to_upright_rgb(decoded), arrived)
                    self._end = float(ticks * self.format.time_base) + decoded.duration * float(decoded.time_base or 0)
        except av.FFmpegError as error:
            raise VideoError(f"{self._name} breaks off after {number + 1} frames: {describe_error(error)}") from error
        self._check_complete(number + 1)

    def _decode(self, packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
        """Decode a packet as players do: what is damaged is left out and counted."""
        try:
            return packet.decode()
        except av.error.InvalidDataError:
            self._damaged += 1
            return []

    def _check_complete(self, frames: int) -> None:
        """Raise VideoError if a file turned out to be shorter than its header says, damaged or empty."""
        if self.live:
            return
        if self._packets < self._stream.frames:
            raise VideoError(f"{self._name} ends early: {frames} of {self._stream.frames} frames are in it")
        if (missing := self._stated_s() - self._end) > LENGTH_TOLERANCE_S:
            raise VideoError(f"{self._name} ends early: by its header {missing:.1f} seconds are missing")
        if self._damaged:
            raise VideoError(f"{self._name} is damaged: of {frames} frames {self._damaged} are broken or lost")
        if not frames:
            raise VideoError(f"{self._name} has no frames")

    def _stated_s(self) -> float:
        """Return the video's length by its header, in seconds; 0 if that isn't there, or the number of frames is."""
        stated = self._stream.metadata.get("DURATION", "")  # Matroska's, of this track alone
        if self._stream.frames or not re.fullmatch(r"\d+:\d\d:\d\d(\.\d+)?", stated):
            return 0.0
        hours, minutes, seconds = stated.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


class Timeline:
    """Turns an input's timestamps into ones that an encoder takes: from 0 on, strictly increasing.

    Args:
        step: ticks from one frame to the next, where the input doesn't say.
    """

    def __init__(self, step: int) -> None:
        self._step = max(1, step)
        self._origin = 0
        self._last: int | None = None

    def next_ticks(self, pts: int | None) -> int:
        """Return the ticks of the next frame, whose own timestamp is ``pts``, or None where it has none.

        Distances are kept. A clock that jumps back (a stream that starts anew) goes on one step after the last frame.
        """
        if self._last is None:
            self._origin = pts or 0
            self._last = 0
            return 0
        ticks = self._last + self._step if pts is None else pts - self._origin
        if pts is not None and ticks <= self._last:
            ticks = self._last + self._step
            self._origin = pts - ticks
        self._last = ticks
        return ticks


def to_upright_rgb(decoded: av.VideoFrame) -> Pixels:
    """Convert a frame to RGB and turn it as the camera was held: uint8 ``[H, W, 3]``."""
    # A frame that doesn't say how its colours are stored is read as players read it.
    guessed = decoded.colorspace == UNSPECIFIED and decoded.height >= HD_LINES
    rgb = decoded.reformat(format="rgb24", src_colorspace=Colorspace.ITU709 if guessed else None)
    pixels: Pixels = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
    turns = round(decoded.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def describe_error(error: av.FFmpegError) -> str:
    """Say in words what FFmpeg's error means."""
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {TIMEOUT_S:g} seconds"
    return error.strerror or str(error)


def _open(source: Input, options: dict[str, str]) -> InputContainer:
    if source.url.lower().startswith("rtsp"):
        options = {"rtsp_transport": "tcp"} | options
    timeout = None if source.live is False else (TIMEOUT_S, TIMEOUT_S)
    try:
        return av.open(source.url, format=source.demuxer, options=options, timeout=timeout)
    except av.error.InvalidDataError as error:
        words = "is no video that FFmpeg knows, or has lost its header (an MP4 that broke off has none)"
        raise VideoError(f"{source.url} {words}") from error
    except av.FFmpegError as error:
        raise VideoError(f"{source.url} can't be opened: {describe_error(error)}") from error
    except ValueError as error:  # a format that this build of PyAV doesn't have
        raise VideoError(f"{source.url} can't be opened: {error}") from error


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    if not container.streams.video:
        raise VideoError(f"{name} has no video in it")
    return container.streams.video[0]
