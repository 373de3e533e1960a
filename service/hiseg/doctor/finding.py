"""What the doctor finds out by one check, and how findings are printed for a person or a program."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    """The service will serve, but not as well, or not for as many, as it could."""
    WRONG = "wrong"
    """The service won't serve, or not what it should."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check.

    Attributes:
        check: what was checked, in a word or two.
        level: how bad it is.
        found: what is the case, in one sentence.
        mend: what to do about it; empty where nothing needs to be done.
    """

    check: str
    level: Level
    found: str
    mend: str = ""


def ok(check: str, found: str) -> Finding:
    """Make a finding about which nothing needs to be done."""
    return Finding(check, Level.OK, found)


def warning(check: str, found: str, mend: str) -> Finding:
    """Make a finding that should be mended, though the service can run with it."""
    return Finding(check, Level.WARNING, found, mend)


def wrong(check: str, found: str, mend: str) -> Finding:
    """Make a finding that must be mended."""
    return Finding(check, Level.WRONG, found, mend)


def all_well(findings: Sequence[Finding]) -> bool:
    """Tell whether nothing is wrong; warnings don't count."""
    return all(finding.level is not Level.WRONG for finding in findings)


def as_line(finding: Finding) -> str:
    """Write one finding for a person, with what to mend on a line of its own."""
    line = f"{finding.level.value:8} {finding.check:13} {finding.found}"
    return f"{line}\n{'':22} -> {finding.mend}" if finding.mend else line


def as_json(findings: Sequence[Finding]) -> str:
    """Write all findings for a program."""
    report = {"well": all_well(findings), "findings": [asdict(finding) for finding in findings]}
    return json.dumps(report, indent=2)


def summary(findings: Sequence[Finding]) -> str:
    """Say in one sentence how many checks there were and how many of them found something to mend."""
    counts = Counter(finding.level for finding in findings)
    bad = [f"{counts[level]} {level.value}" for level in (Level.WRONG, Level.WARNING) if counts[level]]
    return f"{len(findings)} checks: " + (", ".join(bad) if bad else "all well")
