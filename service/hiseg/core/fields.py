"""Reads single values of annotation files as the many programs that write such files mean them.

Numbers come as text, ids as numbers here and as text there, truth as 0, ``"0"`` or ``false``. Each function returns
what is plainly meant, and raises :class:`Unclear` where nothing is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

CANONICAL = re.compile(r"(-?[1-9]\d{0,17}|0)(\.0+)?")
"""Numbers up to 18 digits without leading zeros: ``"007"`` is a name, not the number 7."""
MISSING: tuple[object, ...] = (None, "", [], {})
FLAGS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True, "": False, "none": False}
SHOWN = 60
"""Most characters of a value that a message shows."""
LARGEST = 1e300
"""Numbers up to here are finite, also as float."""
EXACT = 2**53
"""Whole numbers below are exact as float."""
T = TypeVar("T")


class Unclear(ValueError):
    """A value has no plain meaning; the message ends the sentence that begins with the value's name."""


def show(value: Any) -> str:
    """Return a value as a message shows it, shortened, with the words that JSON has for what Python calls otherwise."""
    text = json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def number(value: Any) -> float:
    """Return a finite number, also one that is written as text."""
    if type(value) in (int, float) and -LARGEST < value < LARGEST:
        return float(value)
    if isinstance(value, str) and value.isascii() and "_" not in value:
        try:
            value = float(value)
        except ValueError:
            raise Unclear(f"is {show(value)}, which is no number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unclear(f"is {show(value)}, which is no number")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise Unclear(f"is {show(found)}, which is no number")
    return found


def whole_number(value: Any) -> int:
    """Return a whole number, also one that is written as text or with a point and zeros behind it."""
    found = number(value)
    if found != int(found) or abs(found) >= EXACT:
        raise Unclear(f"is {show(value)}, which is no whole number")
    return int(found)


def flag(value: Any) -> bool:
    """Return whether a flag is set: 0 or 1, false or true, also as text; null and an empty text are false."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if value in (0, 1):
        return bool(value)
    if isinstance(value, str) and (found := FLAGS.get(value.strip().lower().removesuffix(".0"))) is not None:
        return found
    raise Unclear(f"is {show(value)}, which is neither 0 nor 1")


def identifier(value: Any) -> Hashable:
    """Return an id so that equal ones compare equal: 7, 7.0, ``"7"`` and ``"7.0"`` are one; other texts are names."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and (text := value.strip()):
        return int(text.partition(".")[0]) if CANONICAL.fullmatch(text) else text
    raise Unclear(f"is {show(value)}, which is no id")


def read_field(row: dict[str, Any], name: str, read: Callable[[Any], T]) -> T:
    """Return the value of a field, read by ``read``; the error of a missing or unclear one begins with its name."""
    if name not in row:
        raise Unclear(f"has no {name}")
    try:
        return read(row[name])
    except Unclear as error:
        raise Unclear(f"{name} {error}") from None
