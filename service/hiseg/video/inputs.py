"""What INPUT on the command line means: a camera, a URL or a file."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from hiseg.video.errors import VideoError

STANDARD = "-"
"""Standard input, or output: raw frames."""
LIVE_SCHEMES = {"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp"}
CAMERAS = {"Linux": ("v4l2", "/dev/video{}"), "Darwin": ("avfoundation", "{}")}
"""FFmpeg's format, and how a camera is called by its index."""


@dataclass(frozen=True, slots=True)
class Input:
    """Something that FFmpeg's libraries can open.

    Attributes:
        url: its name for FFmpeg.
        form: its format, where the name doesn't tell.
        live: it goes on whether or not frames are taken; None: that depends on whether it has a length.
    """

    url: str
    form: str | None = None
    live: bool | None = False

    @property
    def is_camera(self) -> bool:
        """It can be asked for a size and a rate."""
        return self.form is not None


def parse_input(text: str) -> Input:
    """A path, a URL, ``/dev/videoN`` or a camera's index.

    Raises:
        VideoError: there is no such file, or no way to a camera on this system.
    """
    if text.isascii() and text.isdigit():
        if platform.system() not in CAMERAS:
            raise VideoError(f"cameras by index are not read on {platform.system()}")
        form, name = CAMERAS[platform.system()]
        return Input(name.format(text), form, live=True)
    if text.startswith("/dev/video"):
        return Input(text, "v4l2", live=True)
    if "://" in text:
        scheme = urlsplit(text).scheme.lower()
        return Input(text, live=True if scheme in LIVE_SCHEMES else None)
    if not Path(text).exists():
        raise VideoError(f"there is no file {text}")
    return Input(text)
