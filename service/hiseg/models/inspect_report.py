"""What is found out about a file, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that the service would go by.

    Attributes:
        what: its name.
        value: as text.
        source: how it is known: "metadata", "shape", "type", "name", or "assumed".
    """

    what: str
    value: str
    source: str


@dataclass(frozen=True, slots=True)
class Run:
    """One kind of batch that was tried.

    Attributes:
        canvas: (height, width).
        images: in the batch.
        people: in the batch.
        ms: median of a few runs, milliseconds.
    """

    canvas: tuple[int, int]
    images: int
    people: int
    ms: float


@dataclass(frozen=True, slots=True)
class Report:
    """All about one file.

    Attributes:
        path: where it lies.
        megabytes: its size.
        refused: why it can't be served, a sentence each; empty if it can.
        facts: what it would run as; empty if it can't be described.
        missing: metadata that it doesn't have, and what that means.
        runs: those that were tried; none of a file that is refused for what it says of itself.
    """

    path: Path
    megabytes: float
    refused: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()

    @property
    def fits(self) -> bool:
        """It can be served."""
        return not self.refused


def as_json(report: Report) -> str:
    """All of it."""
    return json.dumps({"fits": report.fits} | asdict(report) | {"path": str(report.path)}, indent=2)


def as_text(report: Report) -> str:
    """A table for each part that there is something to say of."""
    verdict = "keeps the tensor contract" if report.fits else "can't be served"
    lines = [f"{report.path}: {report.megabytes:.1f} MB, {verdict}"]
    lines += [f"  refused: {reason}" for reason in report.refused]
    lines += _table((fact.what, fact.value, f"({fact.source})") for fact in report.facts)
    lines += _part("missing from its metadata:", ((key, effect) for key, effect in report.missing.items()))
    lines += _part("tried here:", (_run(run) for run in report.runs))
    return "\n".join(lines)


def _run(run: Run) -> tuple[str, ...]:
    images = "1 image" if run.images == 1 else f"{run.images} images"
    people = "1 person" if run.people == 1 else f"{run.people} people"
    return f"{run.canvas[0]}x{run.canvas[1]}", images, people, f"{run.ms:.1f} ms"


def _part(title: str, rows: Iterable[tuple[str, ...]]) -> list[str]:
    table = _table(rows)
    return [title, *table] if table else []


def _table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
