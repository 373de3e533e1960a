"""Opens what FFmpeg's libraries can open, and chooses the video in it; whatever is none is named in one line."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from hiseg.video.frame import VideoError
from hiseg.video.inputs import Input

TIMEOUT_S = 10.0
"""Seconds without data after which a live input counts as gone."""
PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
"""Streams of covers and thumbnails, which are no videos."""
DEFAULT_BONUS = 5_000_000
"""Pixels that a stream which its file calls the default may have fewer than another, as in ffmpeg."""
TEXT = "tty"
"""FFmpeg's name of the format that draws any text file as a film of characters."""


def open_container(source: Input, options: dict[str, str]) -> InputContainer:
    """Open an input.

    Args:
        source: what to open.
        options: FFmpeg's options for cameras: ``video_size``, ``framerate``.

    Raises:
        VideoError: it can't be opened, or is no video.
    """
    if source.url.lower().startswith("rtsp"):
        options = {"rtsp_transport": "tcp"} | options
    timeout = None if source.live is False else (TIMEOUT_S, TIMEOUT_S)
    try:
        # Titles in Latin-1 are no reason to refuse a video.
        container = av.open(
            source.url, format=source.demuxer, options=options, timeout=timeout, metadata_errors="replace"
        )
    except av.error.InvalidDataError as error:
        if _is_empty(source.url):
            raise VideoError(f"{source.url} is empty") from error
        words = "is no video that FFmpeg knows, or has lost its header (an MP4 that broke off has none)"
        raise VideoError(f"{source.url} {words}") from error
    except av.FFmpegError as error:
        raise VideoError(f"{source.url} can't be opened: {describe_error(error)}") from error
    except ValueError as error:  # a format that this build of PyAV doesn't have
        raise VideoError(f"{source.url} can't be opened: {error}") from error
    if container.format.name == TEXT:
        container.close()
        raise VideoError(f"{source.url} is text, and no video")
    return container


def choose_stream(container: InputContainer, name: str) -> tuple[VideoStream, int]:
    """Return the stream that ffmpeg takes, and the number of videos in the file; covers don't count.

    Raises:
        VideoError: there is none.
    """
    videos = [stream for stream in container.streams.video if not stream.disposition & PICTURES]
    if not videos:
        picture = "a cover picture, but no video" if container.streams.video else "no video"
        raise VideoError(f"{name} has {picture} in it")
    # PyAV's stubs don't say so, but a stream of an unknown codec has no context.
    known = [stream for stream in videos if getattr(stream, "codec_context", None) is not None]
    if not known:
        raise VideoError(f"{name} has a video of a codec that FFmpeg doesn't know in it")
    return max(known, key=_rank), len(videos)


def _rank(stream: VideoStream) -> int:
    context = stream.codec_context
    return context.width * context.height + DEFAULT_BONUS * bool(stream.disposition & Disposition.default)


def _is_empty(path: str) -> bool:
    try:
        return Path(path).stat().st_size == 0
    except (OSError, ValueError):
        return False


def describe_error(error: av.FFmpegError) -> str:
    """Say in words what FFmpeg's error means."""
    if isinstance(error, av.error.ExitError):
        return f"nothing came for {TIMEOUT_S:g} seconds"
    return error.strerror or str(error)
