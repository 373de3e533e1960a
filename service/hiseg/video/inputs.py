"""Tells whether INPUT on the command line means a camera, a URL or a file."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from urllib.parse import urlsplit

from hiseg.video.frame import VideoError

STANDARD_STREAM = "-"
"""Standard input or output, for raw frames."""
LIVE_SCHEMES = {"rtsp", "rtsps", "rtmp", "rtmps", "rtp", "udp", "srt", "tcp"}
CAMERAS = {"Linux": ("v4l2", "/dev/video{}"), "Darwin": ("avfoundation", "{}")}
"""By operating system: FFmpeg's input format, and the name of the camera with a given index."""


@dataclass(frozen=True, slots=True)
class Input:
    """Something that FFmpeg's libraries can open.

    Attributes:
        url: FFmpeg's name of it.
        demuxer: FFmpeg's input format, where the name doesn't tell it.
        live: whether frames go on coming when nobody takes them; None: if it turns out to have no length.
    """

    url: str
    demuxer: str | None = None
    live: bool | None = False

    @property
    def is_camera(self) -> bool:
        """Whether it can be asked for a size and a rate."""
        return self.demuxer is not None


def parse_input(text: str) -> Input:
    """Parse a path, a URL, ``/dev/videoN`` or a camera's index.

    Raises:
        VideoError: there is no such file, or cameras can't be named by index on this system.
    """
    if text.isascii() and text.isdigit():
        if platform.system() not in CAMERAS:
            raise VideoError(f"cameras by index are not read on {platform.system()}")
        demuxer, name = CAMERAS[platform.system()]
        return Input(name.format(text), demuxer, live=True)
    if text.startswith("/dev/video"):
        return Input(text, "v4l2", live=True)
    if "://" in text:
        scheme = urlsplit(text).scheme.lower()
        return Input(text, live=True if scheme in LIVE_SCHEMES else None)
    if not os.path.exists(text):
        raise VideoError(f"there is no file {text}")
    return Input(text)
