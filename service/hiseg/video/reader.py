"""Reads files, URLs and cameras through FFmpeg's libraries (PyAV)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Colorspace, ColorTrc
from av.video.stream import VideoStream

from hiseg.core.image import Pixels
from hiseg.video.container import choose_stream, describe_error, open_container
from hiseg.video.display import display_matrix, is_lying, picture_matrix, show
from hiseg.video.frame import Frame, VideoError, VideoFormat
from hiseg.video.inputs import Input

HD_LINES = 720
"""Frames of this height or more follow BT.709 unless they say otherwise; lower ones BT.601."""
LENGTH_TOLERANCE_S = 0.5
"""Seconds by which a video may be shorter than its header says, since headers aren't exact."""
AVI = "avi"
"""The format in which frames that repeat the one before are counted, but not stored."""
UNSPECIFIED = 2
"""FFmpeg's AVCOL_SPC_UNSPECIFIED."""
HDR = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
"""Ways to store brightness that a usual screen doesn't have."""
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
        self._container = open_container(source, options or {})
        try:
            self._stream, videos = choose_stream(self._container, source.url)
            self.live = self._container.duration is None if source.live is None else source.live
            # With frame threads the decoder would be some frames behind.
            self._stream.thread_type = "SLICE" if self.live else "AUTO"
            rate = self._stream.average_rate or self._stream.guessed_rate or DEFAULT_RATE
            time_base = self._stream.time_base or 1 / rate
        except BaseException:
            self._container.close()
            raise
        self.format = VideoFormat(time_base, rate / every)
        self._turned = picture_matrix(source.url, self._container.format.name)
        self._pixel_aspect = self._stream.sample_aspect_ratio or Fraction(1)
        # In the order in which they came up, each once.
        self._notes: dict[str, None] = {}
        if videos > 1:
            context = self._stream.codec_context
            self._notes[f"of {videos} videos in the file one of {context.width}x{context.height} was taken"] = None
        self._start = 0.0
        self._timeline = Timeline(round(1 / rate / time_base))
        self._rate = rate
        self._damaged = 0
        self._packets = 0
        self._end = 0.0
        self._frames = self._decode_all()

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

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
                    if number == 0:
                        self._start = float((decoded.pts or 0) * self.format.time_base)
                        self._note(decoded)
                    ticks = self._timeline.next_ticks(decoded.pts)
                    if number % self._every == 0:
                        seconds = float(ticks * self.format.time_base)
                        matrix = display_matrix(decoded) if self._turned is None else self._turned
                        aspect = 1 / self._pixel_aspect if is_lying(matrix) else self._pixel_aspect
                        yield Frame(number, ticks, seconds, show(self._rgb(decoded), matrix), arrived, aspect)
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

    def _rgb(self, decoded: av.VideoFrame) -> Pixels:
        """Convert a frame to RGB, as it is stored: uint8 ``[H, W, 3]``."""
        try:
            return to_rgb(decoded)
        except (av.FFmpegError, ValueError) as error:
            kind = f"{decoded.format.name}, colour space {decoded.colorspace}"
            words = f"the colours of its frames ({kind}) can't be converted: {error.args[-1]}"
            raise VideoError(f"{self._name} can't be read: {words}") from error

    def _note(self, decoded: av.VideoFrame) -> None:
        """Note what the first frame tells of a video whose people may be harder to find."""
        if decoded.interlaced_frame:
            self._notes["the video is interlaced; what moves looks like a comb, as its frames have both fields"] = None
        if decoded.color_trc in HDR:
            self._notes["the video is HDR; its brightness is taken as it is, so frames look pale"] = None

    def _check_complete(self, frames: int) -> None:
        """Raise VideoError if a file turned out to be shorter than its header says, damaged or empty."""
        if self.live:
            return
        if self._packets < self._stated_frames():
            raise VideoError(f"{self._name} ends early: {frames} of {self._stream.frames} frames are in it")
        if (missing := self._stated_s() - self._start - self._end) > LENGTH_TOLERANCE_S:
            raise VideoError(f"{self._name} ends early: by its header {missing:.1f} seconds are missing")
        if self._damaged and not frames:
            raise VideoError(f"{self._name} has no frame that can be read")
        if self._damaged:
            raise VideoError(f"{self._name} is damaged: of {frames} frames {self._damaged} are broken or lost")
        if not frames:
            raise VideoError(f"{self._name} has no frames")

    def _stated_frames(self) -> int:
        """Return the number of frames by the header; 0 if that isn't there, or counts what isn't in the file."""
        return 0 if self._container.format.name == AVI else self._stream.frames

    def _stated_s(self) -> float:
        """Return the video's length by its header, in seconds; 0 if that isn't there, or the number of frames is."""
        stated = self._stream.metadata.get("DURATION", "")  # Matroska's, of this track alone
        if self._container.format.name == AVI:
            return float(self._stream.frames * self.format.time_base)
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


def to_rgb(decoded: av.VideoFrame) -> Pixels:
    """Convert a frame to RGB, as it is stored: uint8 ``[H, W, 3]``."""
    # A frame that doesn't say how its colours are stored is read as players read it.
    guessed = decoded.colorspace == UNSPECIFIED and decoded.height >= HD_LINES
    rgb = decoded.reformat(format="rgb24", src_colorspace=Colorspace.ITU709 if guessed else None)
    return np.asarray(rgb.to_ndarray(), dtype=np.uint8)
