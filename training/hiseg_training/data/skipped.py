"""Counts what is left out of an annotation file and why, so that nobody is left out silently."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from hiseg.core.coco_file import AnnotationError, name_row

Tell = Callable[[str], object]
"""Takes a line about what was read, or left out, to show it to the user."""


def silent(line: str) -> None:
    """Show a line to nobody."""


@dataclass
class Skipped:
    """What was not taken from a file, or not as it stands there.

    Attributes:
        counts: number of cases, by reason.
        first: the first case of each reason, as a message names it.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, example: str, cases: int = 1) -> None:
        """Count ``cases`` more of a reason; ``example`` is kept if it is the first one."""
        if cases:
            self.counts[reason] = self.counts.get(reason, 0) + cases
            self.first.setdefault(reason, example)

    def lines(self) -> list[str]:
        """Return a line for each reason, the most frequent first."""
        order = sorted(self.counts, key=lambda reason: -self.counts[reason])
        return [f"{self.counts[reason]} x {reason}, first {self.first[reason]}" for reason in order]

    def __str__(self) -> str:
        """Return all reasons in one line."""
        return "; ".join(self.lines())


class Problems:
    """Keeps the annotations of a file that can't be understood until all are seen, so that the error can count them.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first = ""
        self._count = 0

    def add(self, index: int, row: object, error: ValueError) -> None:
        """Keep an annotation and what is wrong with it."""
        self._first = self._first or f"{name_row(index, row)}: {error}"
        self._count += 1

    def check(self) -> None:
        """Raise AnnotationError, which names the first annotation, if there is any."""
        if self._count:
            more = f"; {self._count - 1} more can't be read" if self._count > 1 else ""
            raise AnnotationError(f"{self._path}: {self._first}{more}")
