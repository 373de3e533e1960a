"""What goes wrong on the user's side of a video, in one line."""

from __future__ import annotations


class VideoError(Exception):
    """The video can't be read or written, or not to its end; the message is for the user."""


class BadOption(VideoError):
    """An option of the command has a value that can't be used."""

    def __init__(self, option: str, value: str, reason: str) -> None:
        super().__init__(f"{option}: {value!r} {reason}")


def missing_extra(error: ModuleNotFoundError) -> VideoError:
    """What to say when a package of the optional extra isn't installed."""
    return VideoError(f"this needs {error.name}: pip install 'hiseg[video]'")
