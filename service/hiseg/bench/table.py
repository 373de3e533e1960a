"""The figures of a run as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping

from hiseg.bench.report import Report

LATE_MS = 5.0
"""Requests sent later than this make the generator, not the service, the limit."""
BUSY = 0.9
"""Share of a core from which on the generator may be the limit."""


def format_table(report: Report) -> str:
    """Write the figures, a line each, and a warning for each reason not to believe them."""
    late = (
        "not measured: a closed loop has no times to keep"
        if report.late_ms is None
        else _points({"p99": report.late_ms})
    )
    rows = {
        "requests": f"sent {report.sent}  answered {report.answered}",
        "throughput": f"{report.ok_per_s:.1f} ok/s  {report.people_per_s:.1f} people/s",
        "latency, ms": _points(report.latency_ms),
        "refusal, ms": _points(report.refusal_ms),
        "outcomes": "  ".join(f"{outcome} {count}" for outcome, count in report.outcomes.items()),
        "stages, ms": _points(report.stages_ms) or "the service names none",
        "late, ms": late,
        "generator": f"{report.cpu_ms:.2f} ms of CPU a request  {report.cpu_share:.0%} of a core",
    }
    lines = [f"{name:<12} {text}" for name, text in rows.items()]
    lines += [f"{outcome}: {detail}" for outcome, detail in report.details.items()]
    return "\n".join(lines + [f"warning: {text}" for text in list_warnings(report)])


def list_warnings(report: Report) -> list[str]:
    """List reasons to think that the generator, not the service, was the limit."""
    found = []
    if report.late_ms is not None and report.late_ms > LATE_MS:
        found.append(
            f"one request in a hundred was sent {report.late_ms:.1f} ms late or more: "
            "the generator, not the service, was the limit; give it cores of its own"
        )
    if report.cpu_share > BUSY:
        found.append(f"the generator used {report.cpu_share:.0%} of a core: it may have been the limit")
    return found


def _points(values: Mapping[str, float | None]) -> str:
    return "  ".join(f"{name} {'-' if value is None else f'{value:.1f}'}" for name, value in values.items())
