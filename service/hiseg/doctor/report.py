"""Findings as a person or a program reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from hiseg.doctor.finding import Finding, Level


def well(findings: Sequence[Finding]) -> bool:
    """Nothing is wrong; warnings don't count."""
    return all(finding.level is not Level.WRONG for finding in findings)


def as_line(finding: Finding) -> str:
    """One finding, with what to mend on a line of its own."""
    line = f"{finding.level.value:8} {finding.check:13} {finding.found}"
    return f"{line}\n{'':22} -> {finding.mend}" if finding.mend else line


def as_json(findings: Sequence[Finding]) -> str:
    """All of them."""
    report = {"well": well(findings), "findings": [asdict(finding) for finding in findings]}
    return json.dumps(report, indent=2)


def summary(findings: Sequence[Finding]) -> str:
    """How many of each, in a sentence."""
    counts = Counter(finding.level for finding in findings)
    bad = [f"{counts[level]} {level.value}" for level in (Level.WRONG, Level.WARNING) if counts[level]]
    return f"{len(findings)} checks: " + (", ".join(bad) if bad else "all well")
