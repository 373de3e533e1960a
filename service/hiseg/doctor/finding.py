"""What the doctor says of one thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It serves, but not as well, or not for as many, as it could."""
    WRONG = "wrong"
    """It won't serve, or not what it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result.

    Attributes:
        check: what was looked at, in a word or two.
        level: how bad it is.
        found: what is so.
        mend: what to do about it; empty where nothing needs to be done.
    """

    check: str
    level: Level
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Level.OK, found)


def warning(check: str, found: str, mend: str) -> Finding:
    """Better mended."""
    return Finding(check, Level.WARNING, found, mend)


def wrong(check: str, found: str, mend: str) -> Finding:
    """To be mended."""
    return Finding(check, Level.WRONG, found, mend)
