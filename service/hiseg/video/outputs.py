"""Which files can be written, by their names: containers, and the codecs that fit what is shown in them.

Known without FFmpeg's libraries, so that a name is refused before any work.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import Path

from hiseg.core.command_errors import BadOption
from hiseg.video.looks import Look

NUMBERED = re.compile(r"%0?\d*d")
"""The number in the name of a picture, as in ffmpeg: ``%04d``."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to store frames.

    Attributes:
        name: FFmpeg's.
        pix_fmt: FFmpeg's name of the layout of pixels.
        options: FFmpeg's.
    """

    name: str
    pix_fmt: str
    options: dict[str, str] = field(default_factory=dict)


VP9_OPTIONS = {"crf": "28", "b": "0", "deadline": "realtime", "cpu-used": "6", "row-mt": "1"}
H264 = Codec("libx264", "yuv420p", {"crf": "20", "preset": "veryfast"})
MPEG4 = Codec("mpeg4", "yuv420p", {"qscale": "3"})
VP9 = Codec("libvpx-vp9", "yuv420p", VP9_OPTIONS)
GIF = Codec("gif", "pal8")
OPAQUE = {
    "mp4": (H264, MPEG4),
    "m4v": (H264, MPEG4),
    "mov": (H264, MPEG4),
    "mkv": (H264, MPEG4),
    "avi": (H264, MPEG4),
    "webm": (VP9,),
    "gif": (GIF,),
}
"""By suffix: codecs, of which the first is used that FFmpeg's libraries have."""
TRANSPARENT = {
    # Without it older versions of players show nothing at all.
    "mov": (Codec("prores_ks", "yuva444p10le", {"profile": "4444", "vendor": "apl0"}),),
    "webm": (Codec("libvpx-vp9", "yuva420p", VP9_OPTIONS | {"auto-alt-ref": "0"}),),
}


def is_numbered(path: Path) -> bool:
    """Whether a name stands for a sequence of PNG files."""
    return path.suffix.lower() == ".png" and len(NUMBERED.findall(path.name)) == 1


def check_name(path: Path, look: Look) -> None:
    """Refuse a file that can't hold what is to be shown.

    Raises:
        BadOption: it can't; the message says what can.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if is_numbered(path):
        return
    known = TRANSPARENT if look is Look.ALPHA else OPAQUE
    names = ", ".join(f".{name}" for name in known)
    if suffix == "png":
        raise BadOption("--output", str(path), "is one picture; for a numbered one of each frame write %04d.png")
    if suffix not in OPAQUE:
        words = f"says no container that can be written; there is {names}, and %04d.png for a picture of each frame"
        raise BadOption("--output", str(path), words)
    if suffix not in known:
        raise BadOption("--output", str(path), f"holds no transparency, for --as alpha; there is {names} and %04d.png")


def choose_codec(path: Path, look: Look, available: Container[str]) -> Codec:
    """Return the codec of a file that :func:`check_name` lets through.

    Args:
        path: the file.
        look: what it is to show.
        available: names of codecs that FFmpeg's libraries were built with.

    Raises:
        BadOption: none that fits is available.
    """
    codecs = (TRANSPARENT if look is Look.ALPHA else OPAQUE)[path.suffix.lower().removeprefix(".")]
    for codec in codecs:
        if codec.name in available:
            return codec
    names = " or ".join(codec.name for codec in codecs)
    raise BadOption("--output", str(path), f"needs {names}, which this build of PyAV doesn't have; try %04d.png")
