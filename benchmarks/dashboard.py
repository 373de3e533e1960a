"""Draws the dashboard's panels from the metrics of a real service under rising load, as a real Prometheus stored them.

Run it by ``python -m benchmarks.dashboard docs/images/dashboard.png``. It stands for a screenshot of Grafana where
there is no Grafana: the queries are the dashboard's and the data is real, but the style is not Grafana's.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from benchmarks.harness.paths import SAMPLE
from benchmarks.harness.prometheus import DASHBOARD, Prometheus, prometheus
from benchmarks.harness.serving import SERVE, serving
from benchmarks.harness.triton.models import targets_of
from benchmarks.harness.triton.server import triton
from hiseg.access.keys import digest

STEPS = (1, 2, 4, 16, 96, 2)
"""Callers at once, one step after the other."""
STEP_S = 12.0
KEY = "good"


def load(url: str, callers: int, seconds: float) -> None:
    """So many callers, each waiting for its answer, one of them without a key at times."""
    until = time.monotonic() + seconds

    def call() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            for number in range(10**9):
                if time.monotonic() > until:
                    return
                headers = {"content-type": "image/jpeg", "x-api-key": KEY if number % 20 else "wrong"}
                boxes = {"boxes": "22,15,365,512;526,18,949,512", "deadline_ms": 3000}
                client.post("/v1/segment", params=boxes, content=SAMPLE.read_bytes(), headers=headers)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def draw(watching: Prometheus, start: float, end: float, to: Path) -> None:
    """All panels, where the dashboard has them."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    figure = plt.figure(figsize=(18, 0.42 * height), facecolor="#f4f5f5")
    for panel in panels:
        place = panel["gridPos"]
        left, bottom = place["x"] / 24, 1 - (place["y"] + place["h"]) / height
        if panel["type"] == "row":
            figure.text(left + 0.01, bottom + 0.3 / height, panel["title"], fontsize=13, weight="bold")
            continue
        margin = 0.035, 1.1 / height
        size = place["w"] / 24 - margin[0] - 0.008, (place["h"] - 2.2) / height
        axes = figure.add_axes((left + margin[0], bottom + margin[1], *size))
        axes.set_title(panel["title"], fontsize=10, loc="left")
        unit = panel["fieldConfig"]["defaults"]["unit"]
        found = [
            (target["legendFormat"], series)
            for target in panel["targets"]
            for series in watching.ask_range(target["expr"].replace("$__rate_interval", "5s"), start, end)
        ]
        if panel["type"] == "stat":
            axes.axis("off")
            value = float(found[0][1]["values"][-1][1])
            axes.text(0.5, 0.45, shown(value, unit), fontsize=24, ha="center", va="center")
            continue
        for legend, series in found:
            points = [(float(at) - start, float(number)) for at, number in series["values"]]
            axes.plot(*zip(*points, strict=True), label=named(legend, series["metric"]), linewidth=1.2)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _, unit=unit: shown(value, unit))
        axes.tick_params(labelsize=7)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, loc="upper left", framealpha=0.6)
    figure.savefig(to, dpi=70)


def named(legend: str, labels: dict[str, Any]) -> str:
    """A legend with its labels filled in."""
    for label, value in labels.items():
        legend = legend.replace(f"{{{{{label}}}}}", value)
    return legend


def shown(value: float, unit: str) -> str:
    """A number as people read it."""
    match unit:
        case "percentunit":
            return f"{100 * value:.0f} %"
        case "s":
            return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"
        case "bytes":
            return f"{value / 2**20:.0f} MiB"
        case "reqps" | "ops":
            return f"{value:.3g} /s"
    return f"{value:.3g}"


def main(to: Path) -> None:
    """Load, watch, draw."""
    with tempfile.TemporaryDirectory() as name, triton() as behind:
        folder = Path(name)
        (folder / "keys").write_text(f"camera {digest(KEY)}\n")
        command = (*SERVE, "--engine", targets_of(behind))
        with (
            serving(command, api_keys_file=folder / "keys", max_wait_ms=800) as server,
            prometheus([server.url.removeprefix("http://")], folder) as watching,
        ):
            start = time.time()
            for callers in STEPS:
                load(server.url, callers, STEP_S)
            time.sleep(1)
            draw(watching, start, time.time(), to)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
