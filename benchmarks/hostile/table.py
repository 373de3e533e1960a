"""The marks that the service has to keep, and the table of attacks in ``docs/reliability.md``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from benchmarks.harness.paths import ROOT
from benchmarks.hostile.kinds import GROUPS
from benchmarks.hostile.measure import SPARE_MIB, Outcome, Waits

PAGE = ROOT / "docs" / "reliability.md"
BEFORE = Path(__file__).with_name("before.json")
AFTER = Path(__file__).with_name("after.json")
TABLE = re.compile(r"(<!-- attacks: .*? -->\n)(.*?)(<!-- end of attacks -->)", re.DOTALL)
HEALTH_MS = 250.0
"""Most that ``/healthz`` may take longer than undisturbed."""
ANSWER_MS = 1000.0
"""Most that a good answer may take longer than undisturbed."""
HELD_MIB = 512.0
"""The default of ``HISEG_MAX_HELD_BYTES``."""
PEAK_MIB = 150.0
"""Memory above idle that the service may have beyond that at its height."""
HEAD = """| kind | attack | worst `/healthz`, ms | worst answer, ms | memory at its height, MiB | a minute later, MiB |
|---|---|---|---|---|---|"""
DRAIN_S = 35.0
"""The default of ``HISEG_DRAIN_SECONDS``, and 5 s to read responses."""


def load(file: Path) -> dict[str, Outcome]:
    """Outcomes by kind, from a file; none if there is no file."""
    if not file.exists():
        return {}
    found = {}
    for name, values in json.loads(file.read_text()).items():
        sides = ("health_before", "answers_before", "health", "answers")
        found[name] = Outcome(**values | {side: Waits(**values[side]) for side in sides})
    return found


def save(file: Path, outcomes: Mapping[str, Outcome]) -> None:
    """Write outcomes into a file; those of other kinds that stand there are kept."""
    merged = load(file) | dict(outcomes)
    file.write_text(json.dumps({name: asdict(merged[name]) for name in sorted(merged)}, indent=1) + "\n")


def health_cell(outcome: Outcome) -> str:
    """The worst wait for ``/healthz``, bold beyond the mark."""
    return _waits(outcome.health, outcome.health_before.median + HEALTH_MS)


def answer_cell(outcome: Outcome) -> str:
    """The worst wait of a good caller, bold beyond the mark."""
    return _waits(outcome.answers, outcome.answers_before.median + ANSWER_MS)


def _waits(waits: Waits, most: float) -> str:
    failed = sum(waits.failed.values())
    text = f"{waits.worst:,.0f}" + (f", {failed} of {waits.count} failed" if failed else "")
    return _bold(text, waits.worst > most or failed > 0)


def peak_cell(outcome: Outcome) -> str:
    """Memory above idle at its height, bold beyond the mark."""
    above = outcome.peak_mib - outcome.idle_mib
    return _bold(f"{max(0.0, above):,.0f}", above > HELD_MIB + PEAK_MIB)


def left_cell(outcome: Outcome) -> str:
    """Memory above idle, and what was open, a minute later; or how long the service took to end."""
    if is_about_the_end(outcome):
        text = "didn't end" if outcome.ended_s is None else f"ended in {outcome.ended_s:.0f} s"
        return _bold(text, outcome.ended_s is None or outcome.ended_s > DRAIN_S)
    above = outcome.left_mib - outcome.idle_mib
    left = [f"{max(0.0, above):,.0f}"]
    if outcome.sockets_left > 0:
        left.append(f"{outcome.sockets_left} connections")
    left += [f"`{name}` {value:,.0f}" for name, value in outcome.figures_left.items()]
    if "broken" in outcome.facts:
        left.append(str(outcome.facts["broken"]))
    return _bold(", ".join(left), above > SPARE_MIB or len(left) > 1)


def is_about_the_end(outcome: Outcome) -> bool:
    """Whether the service was sent SIGTERM."""
    return any(kind.terminated for group in GROUPS.values() for kind in group if kind.name == outcome.kind)


def _bold(text: str, missed: bool) -> str:
    return f"**{text}**" if missed else text


CELLS = (health_cell, answer_cell, peak_cell, left_cell)


def missed(outcome: Outcome) -> bool:
    """Whether a mark was missed."""
    return any(cell(outcome).startswith("**") for cell in CELLS)


def table(before: Mapping[str, Outcome], after: Mapping[str, Outcome]) -> str:
    """The tables in Markdown, one for each group of kinds."""
    parts = []
    for title, kinds in GROUPS.items():
        rows = [
            f"**{title}**",
            "",
            HEAD,
        ]
        for kind in kinds:
            cells = []
            for cell in CELLS:
                sides = [cell(run[kind.name]) if kind.name in run else "–" for run in (before, after)]
                cells.append(" → ".join(sides))
            rows.append(" | ".join([f"| `{kind.name}`", kind.text, *cells]) + " |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def with_table(page: str, before: Mapping[str, Outcome], after: Mapping[str, Outcome]) -> str:
    """The text of the page with the table replaced."""
    return TABLE.sub(lambda found: found[1] + table(before, after) + found[3], page)


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(), load(BEFORE), load(AFTER)))
