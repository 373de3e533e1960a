"""Opens the source and the sinks that the options name; the only place that knows that PyAV is optional."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hiseg.core.command_errors import BadOption
from hiseg.core.extras import needing
from hiseg.images.raw import PixelFormat
from hiseg.video.files import JsonLinesSink, PictureSink, RawSink
from hiseg.video.frame import Sink, Source, VideoError, VideoFormat
from hiseg.video.inputs import STANDARD_STREAM, parse_input
from hiseg.video.looks import Look
from hiseg.video.outputs import check_name, choose_codec, is_numbered
from hiseg.video.raw import RawSource


@dataclass(frozen=True, slots=True)
class RawOptions:
    """What raw frames don't say about themselves, and what cameras can be asked for; None where it wasn't given.

    Attributes:
        size: ``WIDTHxHEIGHT``.
        fps: frames a second, also as a fraction: ``30000/1001``.
        pixel_format: layout of the pixels.
    """

    size: str | None
    fps: str | None
    pixel_format: PixelFormat | None


def open_source(text: str, every: int, raw: RawOptions) -> Source:
    """Open the input.

    Args:
        text: INPUT as it was typed.
        every: take every n-th frame only.
        raw: size, rate and pixel format, for raw frames and cameras.

    Raises:
        BadOption: an option has a value that can't be used.
        VideoError: the input can't be opened, or an option doesn't fit it.
    """
    size = parse_size(raw.size) if raw.size is not None else None
    rate = parse_rate(raw.fps) if raw.fps is not None else None
    if text == STANDARD_STREAM:
        if size is None or rate is None or raw.pixel_format is None:
            raise VideoError("raw frames on standard input need --size, --fps and --pixel-format")
        return RawSource(size, rate, raw.pixel_format, every)
    found = parse_input(text)
    if raw.pixel_format is not None or (not found.is_camera and (size or rate)):
        raise VideoError("--size and --fps are for cameras and raw frames, --pixel-format for raw frames; this is none")
    camera = {"video_size": "x".join(map(str, size)) if size else None, "framerate": str(rate) if rate else None}
    with needing("reading a video"):
        from hiseg.video.reader import VideoReader
    return VideoReader(found, every, {name: value for name, value in camera.items() if value})


def open_sinks(
    source: str, output: str | None, json_output: Path | None, video_format: VideoFormat, look: Look
) -> tuple[list[Sink], list[str]]:
    """Open all outputs; their files are made when the first frame comes.

    Args:
        source: INPUT as it was typed; if it is a file, the video has its sound.
        output: where frames go; None: nowhere.
        json_output: where masks go as JSON lines; None: nowhere.
        video_format: what the frames have in common.
        look: what they show.

    Returns:
        The outputs, and sentences about what isn't written.

    Raises:
        BadOption: there is no codec for it.
        ExtraMissing: a package that this needs isn't installed.
    """
    sinks: list[Sink] = []
    notes: list[str] = []
    if output == STANDARD_STREAM:
        sinks.append(RawSink())
    elif output is not None and is_numbered(Path(output)):
        sinks.append(PictureSink(Path(output)))
    elif output is not None:
        path = Path(output)
        with needing("writing a video"):
            import av

            from hiseg.video.sound import open_sound
            from hiseg.video.writer import VideoWriter
        codec = choose_codec(path, look, av.codecs_available)
        sound, note = open_sound(source, path.suffix.lower()) if os.path.isfile(source) else (None, "")
        sinks.append(VideoWriter(path, video_format, codec, sound))
        notes += [note] * bool(note)
    if json_output is not None:
        sinks.append(JsonLinesSink(json_output))
    return sinks, notes


def check_outputs(text: str, output: str | None, json_output: Path | None, look: Look) -> None:
    """Refuse outputs that would fail only after the first frames, or destroy the input.

    Raises:
        BadOption: an output's folder doesn't exist, it is the input, or can't hold what is to be shown.
        VideoError: there is no output.
    """
    if output is None and json_output is None:
        raise VideoError("nothing to write: give -o, --json or both")
    files = {
        "--output": Path(output) if output is not None and output != STANDARD_STREAM else None,
        "--json": json_output,
    }
    for option, path in files.items():
        if path is not None and not os.path.isdir(path.parent):
            raise BadOption(option, str(path), "is in a folder that doesn't exist")
        if path is not None and path.resolve() == Path(text).resolve():
            raise BadOption(option, str(path), "is the input")
    if video := files["--output"]:
        check_name(video, look)


def parse_size(text: str) -> tuple[int, int]:
    """Parse ``1280x720`` as width and height in pixels.

    Raises:
        BadOption: the text isn't a size.
    """
    width, _, height = text.partition("x")
    if not (text.isascii() and width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise BadOption("--size", text, "is not WIDTHxHEIGHT, such as 1280x720")
    return int(width), int(height)


def parse_rate(text: str) -> Fraction:
    """Parse ``30``, ``29.97`` or ``30000/1001`` as frames a second.

    Raises:
        BadOption: the text is no number above 0 and up to 1000.
    """
    try:
        rate = Fraction(text if text.isascii() and "_" not in text else "")
    except (ValueError, ZeroDivisionError) as error:
        raise BadOption("--fps", text, "is not a number, such as 30 or 30000/1001") from error
    if not 0 < rate <= 1000:
        raise BadOption("--fps", text, "is not over 0 and at most 1000")
    return rate
