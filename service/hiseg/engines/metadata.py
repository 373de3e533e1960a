"""What a model file says about itself beyond its shapes: text that anybody may have written, read within limits."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NoReturn

from hiseg.core.errors import shorten

MAX_ENTRIES = 256
MAX_CHARACTERS = 64 * 1024
"""Most characters of one value."""
MAX_DEPTH = 32
"""Most brackets within brackets of a value that is read as JSON."""
MAX_LINE_CHARACTERS = 400
NESTING = {"[": 1, "{": 1, "]": -1, "}": -1}


def size_violations(metadata: Mapping[str, str]) -> list[str]:
    """What is too much in the metadata, one sentence each."""
    found = []
    if len(metadata) > MAX_ENTRIES:
        found.append(f"its metadata has {len(metadata)} entries; at most {MAX_ENTRIES} are taken")
    for key, value in metadata.items():
        if len(key) + len(value) > MAX_CHARACTERS:
            found.append(
                f"{shorten(key)} has {len(value)} characters in its metadata; at most {MAX_CHARACTERS} are taken"
            )
    return found[:MAX_ENTRIES]


def metadata_value(metadata: Mapping[str, str], key: str) -> Any:
    """A value as JSON, or its text where that is none; None if there is no such key."""
    return parse(metadata[key]) if key in metadata else None


def parse(text: str) -> Any:
    """A value as JSON, or the text itself where it is none, is nested too deeply, or has numbers that are none."""
    if len(text) > MAX_CHARACTERS or max(accumulate(NESTING.get(each, 0) for each in text), default=0) > MAX_DEPTH:
        return text
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return text


def one_line(text: object) -> str:
    """A text of a library, which may be long and of many lines, as the end of a sentence."""
    line = " ".join(str(text).split())
    return line if len(line) <= MAX_LINE_CHARACTERS else f"{line[:MAX_LINE_CHARACTERS]}…"


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
