"""Annotated frames -> a video file, H.264 wherever the codec is there (PyAV)."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from hiseg.core.image import Pixels
from hiseg.video.errors import VideoError
from hiseg.video.frame import Annotated, Traits
from hiseg.video.reader import reason

CODECS = {"libx264": {"crf": "20", "preset": "veryfast"}, "mpeg4": {"qscale": "3"}}
"""The first that PyAV was built with is taken."""
AVCOL_BT709 = 1
"""FFmpeg's AVCOL_SPC_BT709."""
FINEST = 65_535
"""MPEG-4 counts no more ticks a second."""


class VideoWriter:
    """One video file, made at the first frame; a :class:`hiseg.video.frame.Sink`."""

    def __init__(self, path: Path, traits: Traits) -> None:
        self._path = path
        self._traits = traits
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._last = -1

    def write(self, annotated: Annotated) -> None:
        pixels = annotated.drawn
        try:
            if self._container is None or self._stream is None:
                self._container = av.open(str(self._path), "w")
                self._stream = self._add_stream(self._container, pixels)
                self._shape = pixels.shape
            if pixels.shape != self._shape:
                raise VideoError(
                    f"frame {annotated.frame.number} is {pixels.shape[1]}x{pixels.shape[0]}, those before it are "
                    f"{self._shape[1]}x{self._shape[0]}; one file can't hold both"
                )
            picture = av.VideoFrame.from_ndarray(even(pixels), format="rgb24")
            picture = picture.reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            picture.pts = annotated.frame.ticks
            picture.time_base = self._traits.time_base
            self._container.mux(self._stream.encode(picture))
        except (av.FFmpegError, ValueError) as error:
            raise self._failed(error) from error

    def close(self) -> None:
        if self._container is None:
            return
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except av.FFmpegError as error:
            raise self._failed(error) from error

    def _add_stream(self, container: OutputContainer, pixels: Pixels) -> VideoStream:
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream = container.add_stream(codec, rate=self._traits.rate, options=CODECS[codec])
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = even(pixels).shape[:2]
        stream.pix_fmt = "yuv420p"
        how = stream.codec_context
        how.colorspace, how.color_range = AVCOL_BT709, ColorRange.MPEG
        how.color_primaries, how.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        how.sample_aspect_ratio = self._traits.pixel_aspect
        how.time_base = self._traits.time_base
        if codec == "mpeg4" and how.time_base.denominator > FINEST:
            how.time_base = Fraction(1, FINEST)
        return stream

    def _failed(self, error: Exception) -> VideoError:
        words = reason(error) if isinstance(error, av.FFmpegError) else str(error)
        return VideoError(f"{self._path} can't be written: {words}")


def even(pixels: Pixels) -> Pixels:
    """Both sides made even, as the codec's halved colour planes need it: the last row or column comes twice."""
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
        pixels.dtype, copy=False
    )
