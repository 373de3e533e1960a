"""Options -> where frames come from and go to; the only place that knows that PyAV is optional."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hiseg.images.raw import PixelFormat
from hiseg.video.errors import BadOption, VideoError, missing_extra
from hiseg.video.files import LineSink, RawSink, Sinks
from hiseg.video.frame import Sink, Source, Traits
from hiseg.video.inputs import STANDARD, parse_input
from hiseg.video.raw import RawSource


@dataclass(frozen=True, slots=True)
class RawOptions:
    """What raw frames don't say themselves; cameras are asked for it.

    Attributes:
        size: WIDTHxHEIGHT.
        fps: frames a second, perhaps a fraction.
        form: how pixels are written.
    """

    size: str | None
    fps: str | None
    form: PixelFormat | None


def open_source(text: str, every: int, raw: RawOptions) -> Source:
    """The input.

    Raises:
        VideoError: it can't be opened, or an option doesn't fit it.
    """
    size = parse_size(raw.size) if raw.size is not None else None
    rate = parse_rate(raw.fps) if raw.fps is not None else None
    if text == STANDARD:
        if size is None or rate is None or raw.form is None:
            raise VideoError("raw frames on standard input need --size, --fps and --pixel-format")
        return RawSource(size, rate, raw.form, every)
    given = parse_input(text)
    if raw.form is not None or (not given.is_camera and (size or rate)):
        raise VideoError("--size and --fps are for cameras and raw frames, --pixel-format for raw frames; this is none")
    asked = {"video_size": "x".join(map(str, size)) if size else None, "framerate": str(rate) if rate else None}
    with _optional():
        from hiseg.video.reader import VideoReader
    return VideoReader(given, every, {name: value for name, value in asked.items() if value})


def open_sink(output: str | None, json_output: Path | None, traits: Traits) -> Sink:
    """Everything that was asked for, as one; files are made when the first frame comes.

    Raises:
        VideoError: what this needs isn't installed.
    """
    sinks: list[Sink] = []
    if output == STANDARD:
        sinks.append(RawSink())
    elif output is not None:
        with _optional():
            from hiseg.video.writer import VideoWriter
        sinks.append(VideoWriter(Path(output), traits))
    if json_output is not None:
        sinks.append(LineSink(json_output))
    return Sinks(sinks)


def check_outputs(text: str, output: str | None, json_output: Path | None) -> None:
    """Say now what would fail only after the first frames, or destroy the input.

    Raises:
        BadOption: an output can't be where it shall be.
        VideoError: there is none.
    """
    if output is None and json_output is None:
        raise VideoError("nothing to write: give -o, --json or both")
    files = {"--output": Path(output) if output is not None and output != STANDARD else None, "--json": json_output}
    for option, path in files.items():
        if path is not None and not path.parent.is_dir():
            raise BadOption(option, str(path), "is in a folder that doesn't exist")
        if path is not None and path.resolve() == Path(text).resolve():
            raise BadOption(option, str(path), "is the input")


def parse_size(text: str) -> tuple[int, int]:
    """``1280x720`` -> (1280, 720).

    Raises:
        BadOption: it isn't that.
    """
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise BadOption("--size", text, "is not WIDTHxHEIGHT, such as 1280x720")
    return int(width), int(height)


def parse_rate(text: str) -> Fraction:
    """``30``, ``29.97`` or ``30000/1001``.

    Raises:
        BadOption: it is none of them, or out of bounds.
    """
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise BadOption("--fps", text, "is not a number, such as 30 or 30000/1001") from error
    if not 0 < rate <= 1000:
        raise BadOption("--fps", text, "is not over 0 and at most 1000")
    return rate


@contextmanager
def _optional() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise missing_extra(error) from error
