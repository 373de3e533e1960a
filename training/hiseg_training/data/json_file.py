"""Loads JSON as editors and exports store it: in any Unicode encoding, with or without its mark, also gzipped."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

from hiseg_training.data.skipped import AnnotationError

GZIP = b"\x1f\x8b"
ARCHIVES = {b"PK\x03\x04": "a ZIP archive", b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a RAR archive"}


def load_json(path: Path) -> Any:
    """Load a JSON file.

    Raises:
        FileNotFoundError: it does not exist.
        AnnotationError: it is no file, can't be read, or is not JSON; the message says where.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    try:
        content = path.read_bytes()
        if content.startswith(GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise AnnotationError(f"{path} can't be read: {reason or error}") from error
    if not content.strip(b"\0 \t\r\n"):
        raise AnnotationError(f"{path} is empty")
    for magic, kind in ARCHIVES.items():
        if content.startswith(magic):
            raise AnnotationError(f"{path} is not JSON, but {kind}")
    # What the encoding leaves of a mark at the beginning is no JSON.
    encoding = json.detect_encoding(content)
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        ended = error.end >= len(content) and error.reason in ("unexpected end of data", "truncated data")
        reason = "it ends in the middle, at" if ended else "no character fits"
        raise AnnotationError(f"{path} is not JSON in {encoding}: {reason} byte {error.start}") from error
    try:
        return json.loads(text)
    except RecursionError as error:
        raise AnnotationError(f"{path} is not JSON that can be read: it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise AnnotationError(f"{path} is not JSON: {_explain(text, error)}") from error
    except ValueError as error:
        raise AnnotationError(f"{path} is not JSON that can be read: {error}") from error


def _explain(text: str, error: json.JSONDecodeError) -> str:
    where = f"line {error.lineno}, column {error.colno}"
    if error.msg == "Extra data":
        return f"something follows at {where}; a file of JSON lines is no COCO file"
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated"):
        return f"it ends in the middle, at {where}"
    return f"{error.msg} at {where}"
