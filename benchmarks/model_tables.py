"""Writes the figures of the published models into the README and docs/models.md: ``python -m benchmarks.model_tables``.

The figures are those of ``model_repository/*/metrics.json``, which ``hiseg-train publish`` measures. A test checks that
the pages have the same figures as these files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REPOSITORY = ROOT / "model_repository"
BLOCK = re.compile(r"(<!-- models: .*? -->\n)(.*?)(<!-- end of models -->)", re.DOTALL)
TRUE, LOOSE = "ground truth boxes", "boxes jittered by 10%"
Metrics = Mapping[str, Any]


def published() -> dict[str, Metrics]:
    """The metrics of each published model with masks, by name."""
    found = {path.parent.name: json.loads(path.read_text()) for path in sorted(REPOSITORY.glob("*/metrics.json"))}
    return {name: metrics for name, metrics in found.items() if metrics["complexity"]["gmac_per_person"]}


def times(metrics: Metrics) -> str:
    """Milliseconds of a model, as ``3.2 / 12 / 41``."""
    return " / ".join(f"{ms:.0f}" if ms >= 9.95 else f"{ms:.1f}" for ms in metrics["speed"].values())


def work(metrics: Metrics) -> str:
    """What a model computes, less what it hasn't."""
    image, person = (metrics["complexity"][f"gmac_per_{what}"] for what in ("image", "person"))
    return (f"{image:.1f} GMAC an image + {person:.2f}" if image else f"{person:.2f} GMAC") + " a person"


def both(metrics: Metrics, boxes: str, slice_name: str = "all") -> str:
    """A figure on ``val`` and on ``ood``, as ``0.783 / 0.846``."""
    return " / ".join(f"{metrics['quality'][split][boxes][slice_name]:.3f}" for split in ("val", "ood"))


def readme_table() -> str:
    """The README's table: size, cost, speed and mean IoU of each model, and of what needs no model."""
    models = published()
    rows = [
        "| | file | work | CPU, 2 threads: 1 / 4 / 16 people | mean IoU on `val` / `ood` | with loose boxes |",
        "|---|---|---|---|---|---|",
    ]
    for name, metrics in models.items():
        rows.append(
            f"| `{name}` | {metrics['megabytes']:.0f} MB | {work(metrics)} "
            f"| {times(metrics)} ms | {both(metrics, TRUE)} | {both(metrics, LOOSE)} |"
        )
    first = next(iter(models.values()))["quality"]
    for baseline in first["val"]["baselines"]:
        figures = " / ".join(f"{first[split]['baselines'][baseline]:.3f}" for split in ("val", "ood"))
        rows.append(f"| {baseline}, no model | | | | {figures} | |")
    return "\n".join(rows) + "\n"


def models_table() -> str:
    """The first table of docs/models.md: mean IoU and boundary IoU, time and size of each model."""
    rows = [
        "| on `val` / `ood` | true boxes | loose boxes | boundary IoU | others cover over 15 % of the box "
        "| ms for 1 / 4 / 16 people | file |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, metrics in published().items():
        figures = [
            both(metrics, TRUE),
            both(metrics, LOOSE),
            both(metrics, TRUE, "boundary IoU"),
            both(metrics, TRUE, "overlapping boxes"),
            times(metrics),
            f"{metrics['megabytes']:.0f} MB",
        ]
        rows.append(f"| **{name}** | {' | '.join(figures)} |")
    return "\n".join(rows) + "\n"


PAGES: dict[Path, Callable[[], str]] = {ROOT / "README.md": readme_table, ROOT / "docs" / "models.md": models_table}


def rewritten(page: str, table: str) -> str:
    """The text of a page with ``table`` between its two marks."""
    return BLOCK.sub(lambda found: found[1] + table + found[3], page)


if __name__ == "__main__":
    for path, table in PAGES.items():
        path.write_text(rewritten(path.read_text(), table()))
