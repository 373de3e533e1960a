"""Says in plain words why a file can't be opened as a model; ONNX Runtime says it in its own source's."""

from __future__ import annotations

import re
import stat
from pathlib import Path

from hiseg.engines.metadata import one_line

HEAD_BYTES = 256
"""So many bytes of a file tell what it is, if it is none of ONNX's."""
KINDS = {
    b"version https://git-lfs": "it is Git LFS's note of a file, not the file: `git lfs pull` fetches it",
    b"PK": "it is a zip archive, or a checkpoint of PyTorch's: `hiseg-train export` makes an ONNX file of one",
    b"\x89HDF": "it is an HDF5 file",
    b"\x89PNG": "it is an image",
    b"\xff\xd8\xff": "it is an image",
    b"\x1f\x8b": "it is compressed by gzip",
    b"ORTM": "it is a file of the ORT format",
}
"""What files are that begin with these bytes."""
TEXT = re.compile(rb"[\t\n\r\x20-\x7e]+")
RUNTIMES_OWN = re.compile(
    r"\[ONNXRuntimeError\] : \d+ : \w+ : |Load model from .*? failed:|Exception during initialization: "
    r"|/onnxruntime_src/\S+ .*?\) (?=\S)|\w+\.cc:\d+ \w+ "
)
"""Parts of ONNX Runtime's messages that are about its source."""


def no_file(path: Path) -> str | None:
    """Why a path can't be a model's, whatever it holds; None if it is a file. Devices and pipes may never end.

    Args:
        path: any path.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        return f"it can't be read: {getattr(error, 'strerror', None) or 'it is no path'}"
    if stat.S_ISDIR(mode):
        return "it is a folder" + ("; the model is its model.onnx" if (path / "model.onnx").is_file() else "")
    return None if stat.S_ISREG(mode) else "it is no regular file"


def why_unopened(path: Path, error: Exception) -> str:
    """Why ONNX Runtime can't open a file, as one line.

    Args:
        path: the file.
        error: what ONNX Runtime raised.
    """
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as unreadable:
        return f"it can't be read: {unreadable.strerror}"
    if not head:
        return "it is empty"
    for start, kind in KINDS.items():
        if head.startswith(start):
            return kind
    if TEXT.fullmatch(head):
        return "it is a text"
    if "INVALID_PROTOBUF" in str(error) or not head.strip(b"\0"):
        return "it is no ONNX file, or is damaged or cut off"
    return one_line(RUNTIMES_OWN.sub("", " ".join(str(error).split())))
