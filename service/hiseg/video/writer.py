"""Writes frames to a video file (PyAV), with the sound of the input beside them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from PIL import Image

from hiseg.core.image import Pixels
from hiseg.video.container import describe_error
from hiseg.video.frame import AnnotatedFrame, VideoError, VideoFormat
from hiseg.video.outputs import Codec
from hiseg.video.sound import Sound

AVCOL_BT709 = 1
"""FFmpeg's AVCOL_SPC_BT709."""
PALETTE = "pal8"
"""FFmpeg's name of frames whose pixels are indices of colours."""
COLOURS = 256
MPEG4_MAX_TICKS = 65_535
"""Most ticks a second that MPEG-4 can count."""


class VideoWriter:
    """Writes one video file, made at the first frame; a :class:`hiseg.video.frame.Sink`.

    Args:
        path: the file; its suffix decides the container.
        video_format: time base and rate of the frames.
        codec: how the frames are stored.
        sound: what is to be heard; None: nothing.
    """

    def __init__(self, path: Path, video_format: VideoFormat, codec: Codec, sound: Sound | None = None) -> None:
        self._path = path
        self._format = video_format
        self._codec = codec
        self._sound = sound
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._end = 0.0

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
            frame = self._to_frame(pixels)
            frame.pts = annotated.frame.ticks
            frame.time_base = self._format.time_base
            self._container.mux(self._stream.encode(frame))
            self._end = annotated.frame.time + float(1 / self._format.rate)
            if self._sound is not None:
                self._sound.copy_until(annotated.frame.time)
        except (av.FFmpegError, ValueError) as error:
            raise self._error(error) from error

    def close(self) -> None:
        try:
            if self._container is not None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
                if self._sound is not None:
                    self._sound.copy_until(self._end)
            if self._container is not None:
                self._container.close()
        except av.FFmpegError as error:
            raise self._error(error) from error
        finally:
            if self._sound is not None:
                self._sound.close()

    def _to_frame(self, pixels: Pixels) -> av.VideoFrame:
        """Convert a frame to what the codec takes."""
        if self._codec.pix_fmt == PALETTE:
            return to_palette(pixels)
        format = {2: "gray", 3: "rgb24"}[pixels.ndim] if pixels.shape[2:] != (4,) else "rgba"
        frame = av.VideoFrame.from_ndarray(self._fitting(pixels), format=format)
        return frame.reformat(
            format=self._codec.pix_fmt, dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )

    def _fitting(self, pixels: Pixels) -> Pixels:
        return pad_to_even(pixels) if self._codec.pix_fmt.endswith("420p") else np.ascontiguousarray(pixels)

    def _add_stream(self, container: OutputContainer, pixels: Pixels, aspect: Fraction) -> VideoStream:
        codec = self._codec
        stream = container.add_stream(codec.name, rate=self._format.rate, options=codec.options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = self._fitting(pixels).shape[:2]
        stream.pix_fmt = codec.pix_fmt
        context = stream.codec_context
        if codec.pix_fmt != PALETTE:
            context.colorspace, context.color_range = AVCOL_BT709, ColorRange.MPEG
            context.color_primaries, context.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        context.sample_aspect_ratio = aspect
        context.time_base = self._format.time_base
        if codec.name == "mpeg4" and context.time_base.denominator > MPEG4_MAX_TICKS:
            context.time_base = Fraction(1, MPEG4_MAX_TICKS)
        if self._sound is not None:
            self._sound.add_to(container)
        return stream

    def _error(self, error: Exception) -> VideoError:
        words = describe_error(error) if isinstance(error, av.FFmpegError) else str(error)
        return VideoError(f"{self._path} can't be written: {words}")


def to_palette(pixels: Pixels) -> av.VideoFrame:
    """Reduce a frame to 256 colours of its own, as GIF has them.

    Args:
        pixels: uint8 ``[H, W, 3]``, or ``[H, W]``.
    """
    reduced = Image.fromarray(pixels).convert("RGB").quantize(COLOURS, Image.Quantize.MEDIANCUT)
    palette = np.full((COLOURS, 4), 255, dtype=np.uint8)  # alpha, red, green, blue
    known = np.array(reduced.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    palette[: len(known), 1:] = known
    indices: Any = np.array(reduced, dtype=np.uint8), palette  # PyAV's stubs don't know of the pair
    return av.VideoFrame.from_ndarray(indices, format=PALETTE)


def pad_to_even(pixels: Pixels) -> Pixels:
    """Repeat the last row or column of an odd side: the codec's colour planes have half the size.

    Args:
        pixels: uint8 ``[H, W, 3]``, ``[H, W, 4]`` or ``[H, W]``.

    Returns:
        The same with H and W even; the same array if they are.
    """
    height, width = pixels.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return pixels
    return cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
        pixels.dtype, copy=False
    )
