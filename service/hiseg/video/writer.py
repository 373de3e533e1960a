"""Writes annotated frames to a video file (PyAV): H.264 where PyAV was built with it, else MPEG-4."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from hiseg.core.image import Pixels
from hiseg.video.container import describe_error
from hiseg.video.frame import AnnotatedFrame, VideoError, VideoFormat

CODECS = {"libx264": {"crf": "20", "preset": "veryfast"}, "mpeg4": {"qscale": "3"}}
"""Codecs and their options; the first one that PyAV was built with is used."""
AVCOL_BT709 = 1
"""FFmpeg's AVCOL_SPC_BT709."""
MPEG4_MAX_TICKS = 65_535
"""Most ticks a second that MPEG-4 can count."""


class VideoWriter:
    """Writes one video file, made at the first frame; a :class:`hiseg.video.frame.Sink`.

    Args:
        path: the file; its suffix decides the container.
        video_format: time base and rate of the frames.
    """

    def __init__(self, path: Path, video_format: VideoFormat) -> None:
        self._path = path
        self._format = video_format
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._shape: tuple[int, ...] = ()

    def write(self, annotated: AnnotatedFrame) -> None:
        pixels = annotated.pixels
        try:
            if self._container is None or self._stream is None:
                self._container = av.open(str(self._path), "w")
                self._stream = self._add_stream(self._container, pixels, annotated.frame.pixel_aspect)
                self._shape = pixels.shape
            if pixels.shape != self._shape:
                raise VideoError(
                    f"frame {annotated.frame.number} is {pixels.shape[1]}x{pixels.shape[0]}, those before it are "
                    f"{self._shape[1]}x{self._shape[0]}; one file can't hold both"
                )
            frame = av.VideoFrame.from_ndarray(pad_to_even(pixels), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG)
            frame.pts = annotated.frame.ticks
            frame.time_base = self._format.time_base
            self._container.mux(self._stream.encode(frame))
        except (av.FFmpegError, ValueError) as error:
            raise self._error(error) from error

    def close(self) -> None:
        if self._container is None:
            return
        try:
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
        except av.FFmpegError as error:
            raise self._error(error) from error

    def _add_stream(self, container: OutputContainer, pixels: Pixels, aspect: Fraction) -> VideoStream:
        codec = next(name for name in CODECS if name in av.codecs_available)
        stream = container.add_stream(codec, rate=self._format.rate, options=CODECS[codec])
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = pad_to_even(pixels).shape[:2]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range = AVCOL_BT709, ColorRange.MPEG
        context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.sample_aspect_ratio = aspect
        context.time_base = self._format.time_base
        if codec == "mpeg4" and context.time_base.denominator > MPEG4_MAX_TICKS:
            context.time_base = Fraction(1, MPEG4_MAX_TICKS)
        return stream

    def _error(self, error: Exception) -> VideoError:
        words = describe_error(error) if isinstance(error, av.FFmpegError) else str(error)
        return VideoError(f"{self._path} can't be written: {words}")


def pad_to_even(pixels: Pixels) -> Pixels:
    """Repeat the last row or column of an odd side: the codec's colour planes have half the size.

    Args:
        pixels: uint8 ``[H, W, 3]``.

    Returns:
        uint8 ``[H, W, 3]`` with H and W even; the same array if they are.
    """
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
        pixels.dtype, copy=False
    )
