"""Files, URLs and cameras through FFmpeg's libraries (PyAV)."""

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
from hiseg.video.errors import VideoError
from hiseg.video.frame import Frame, Traits
from hiseg.video.inputs import Input
from hiseg.video.timeline import Timeline

PATIENCE_S = 10.0
"""What a live input that says nothing gets before it counts as gone."""
HD_LINES = 720
"""From so many on pictures follow BT.709 unless they say otherwise; below, BT.601."""
SLACK_S = 0.5
"""Headers aren't exact."""
UNSPECIFIED = 2
"""FFmpeg's AVCOL_SPC_UNSPECIFIED."""
USUAL_RATE = Fraction(25)
"""Of an input that names none."""


class VideoReader:
    """A video, upright and in RGB; a :class:`hiseg.video.frame.Source`.

    Args:
        given: what to open.
        every: take each so manieth frame.
        options: FFmpeg's, for cameras: ``video_size``, ``framerate``.

    Raises:
        VideoError: it can't be opened, or has no pictures in it.
    """

    def __init__(self, given: Input, every: int = 1, options: dict[str, str] | None = None) -> None:
        self._name = given.url
        self._every = every
        self._container = _open(given, options or {})
        try:
            self._stream = _video_stream(self._container, given.url)
            self.live = self._container.duration is None if given.live is None else given.live
            # With frame threads the decoder would be some frames behind.
            self._stream.thread_type = "SLICE" if self.live else "AUTO"
            rate = self._stream.average_rate or self._stream.guessed_rate or USUAL_RATE
            time_base = self._stream.time_base or 1 / rate
        except BaseException:
            self._container.close()
            raise
        self.traits = Traits(time_base, rate / every, self._stream.sample_aspect_ratio or Fraction(1))
        self._timeline = Timeline(round(1 / rate / time_base))
        self._rate = rate
        self._damaged = 0
        self._packets = 0
        self._end = 0.0
        self._frames = self._decoded()

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
        """FFmpeg's own time limit is all that ends a read."""

    def close(self) -> None:
        self._container.close()

    def _decoded(self) -> Iterator[Frame]:
        number = -1
        try:
            for packet in self._container.demux(self._stream):
                self._packets += packet.size > 0
                for picture in self._decode(packet):
                    number += 1
                    arrived = time.monotonic()
                    self._damaged += picture.is_corrupt
                    ticks = self._timeline.place(picture.pts)
                    if number % self._every == 0:
                        seconds = float(ticks * self.traits.time_base)
                        yield Frame(number, ticks, seconds, upright(picture), arrived)
                    self._end = float(ticks * self.traits.time_base) + picture.duration * float(picture.time_base or 0)
        except av.FFmpegError as error:
            raise VideoError(f"{self._name} breaks off after {number + 1} frames: {reason(error)}") from error
        self._check_whole(number + 1)

    def _decode(self, packet: av.Packet[VideoStream]) -> list[av.VideoFrame]:
        """As players do: what can be shown is shown."""
        try:
            return packet.decode()
        except av.error.InvalidDataError:
            self._damaged += 1
            return []

    def _check_whole(self, frames: int) -> None:
        if self.live:
            return
        if self._packets < self._stream.frames:
            raise VideoError(f"{self._name} ends early: {frames} of {self._stream.frames} frames are in it")
        if (missing := self._promised_s() - self._end) > SLACK_S:
            raise VideoError(f"{self._name} ends early: by its header {missing:.1f} seconds are missing")
        if self._damaged:
            raise VideoError(f"{self._name} is damaged: of {frames} frames {self._damaged} are broken or lost")
        if not frames:
            raise VideoError(f"{self._name} has no frames")

    def _promised_s(self) -> float:
        """How long the video should be; 0 where that isn't known, or the number of frames is."""
        stated = self._stream.metadata.get("DURATION", "")  # Matroska's, of this track alone
        if self._stream.frames or not re.fullmatch(r"\d+:\d\d:\d\d(\.\d+)?", stated):
            return 0.0
        hours, minutes, seconds = stated.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)


def upright(picture: av.VideoFrame) -> Pixels:
    """The pixels, turned as the camera was held."""
    # What doesn't say how its colours are stored is taken as players take it.
    guessed = picture.colorspace == UNSPECIFIED and picture.height >= HD_LINES
    rgb = picture.reformat(format="rgb24", src_colorspace=Colorspace.ITU709 if guessed else None)
    pixels: Pixels = np.asarray(rgb.to_ndarray(), dtype=np.uint8)
    turns = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def reason(error: av.FFmpegError) -> str:
    """What FFmpeg says, in words."""
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {PATIENCE_S:g} seconds"
    return error.strerror or str(error)


def _open(given: Input, options: dict[str, str]) -> InputContainer:
    if given.url.lower().startswith("rtsp"):
        options = {"rtsp_transport": "tcp"} | options
    timeout = None if given.live is False else (PATIENCE_S, PATIENCE_S)
    try:
        return av.open(given.url, format=given.form, options=options, timeout=timeout)
    except av.error.InvalidDataError as error:
        words = "is no video that FFmpeg knows, or has lost its header (an MP4 that broke off has none)"
        raise VideoError(f"{given.url} {words}") from error
    except av.FFmpegError as error:
        raise VideoError(f"{given.url} can't be opened: {reason(error)}") from error
    except ValueError as error:  # a format that this build of PyAV doesn't have
        raise VideoError(f"{given.url} can't be opened: {error}") from error


def _video_stream(container: InputContainer, name: str) -> VideoStream:
    if not container.streams.video:
        raise VideoError(f"{name} has no video in it")
    return container.streams.video[0]
