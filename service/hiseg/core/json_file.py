"""Loads JSON as editors and exports store it: in any Unicode encoding, with or without its mark, also packed.

Annotation files come from many programs and computers. What is wrong with one is said in a line that names the place.
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"
ARCHIVES = {b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a RAR archive"}


MAX_NAMED = 3
"""Most files of an archive that a message names."""


class UnreadableJson(ValueError):
    """A file can't be read, or is not JSON; the message is one line with its name and the place."""


def load_json(path: Path) -> Any:
    """Load a JSON file; it may be packed with gzip, or be the only ``.json`` in a ZIP archive, as CVAT exports it.

    Raises:
        FileNotFoundError: it does not exist.
        UnreadableJson: it is no file, can't be read, or is not JSON.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableJson(f"{path} can't be read: {error.strerror or error}") from error
    return parse_json(content, path)


def parse_json(content: bytes, path: Path) -> Any:
    """Parse what such a file contains.

    Args:
        content: of the file.
        path: its path, for messages.

    Raises:
        UnreadableJson: it is not JSON.
    """
    try:
        if content.startswith(GZIP):
            content = gzip.decompress(content)
        elif content.startswith(ZIP):
            content = _only_json(path, content)
    except (OSError, EOFError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UnreadableJson(f"{path} can't be read: {reason or error}") from error
    if not content.strip(b"\0 \t\r\n"):
        raise UnreadableJson(f"{path} is empty")
    for magic, kind in ARCHIVES.items():
        if content.startswith(magic):
            raise UnreadableJson(f"{path} is not JSON, but {kind}")
    # What the encoding leaves of a mark at the beginning is no JSON.
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        ended = error.end >= len(content) and error.reason in ("unexpected end of data", "truncated data")
        reason = "it ends in the middle, at" if ended else "no character fits"
        raise UnreadableJson(f"{path} is not JSON in {encoding}: {reason} byte {error.start}") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise UnreadableJson(f"{path} is not JSON that can be read: it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise UnreadableJson(f"{path} is not JSON: {_explain(text, error)}") from error
    except ValueError as error:  # Python's limit on the digits of whole numbers
        raise UnreadableJson(f"{path} is not JSON that can be read: a number has thousands of digits") from error


def _only_json(path: Path, archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        # Of each file macOS packs what else it knows of it, too.
        files = [name for name in opened.namelist() if not name.startswith("__MACOSX/")]
        names = [name for name in files if name.lower().endswith(".json")]
        if len(names) != 1:
            listed = ", ".join(names[:MAX_NAMED]) or "none"
            raise UnreadableJson(f"{path} must have one JSON file in it to be read; it has {listed}: unpack it")
        return opened.read(names[0])


def _explain(text: str, error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    if error.msg == "Extra data":
        return f"something follows at {where}; a file of JSON lines is no COCO file"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return f"it ends in the middle, at {where}"
    return f"{error.msg} at {where}"
