"""Makes a Markdown table and a chart from the results of the peers: ``python -m benchmarks.peers.table CHART.png``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.peers.run import RESULTS
from benchmarks.peers.server import PEERS, describe
from benchmarks.peers.ways import WAYS

OURS, THEIRS, GREY = "#2a78b8", "#e8a33d", "#666666"
Found = dict[str, Any]


def results() -> list[Found]:
    """What was measured, in the peers' order."""
    files = [RESULTS / f"{peer}.json" for peer in PEERS]
    return [json.loads(file.read_text()) for file in files if file.exists()]


def table(found: list[Found]) -> str:
    """A row for each peer; in each cell hiseg's figure and the peer's."""
    shares = [load["share"] for load in found[0]["loads"]]
    lines = [
        "| hiseg / peer | best way | " + " | ".join(f"{share:.0%}" for share in shares) + " |",
        "|---|---|" + "---|" * len(shares),
    ]
    for each in found:
        peer = each["peer"]
        cells = [f"{_cell(load['hiseg'])} / {_cell(load[peer])}" for load in each["loads"]]
        way = f"{describe(WAYS[each['way']])}, {each['ways'][each['way']]:.1f}/s"
        lines.append(f"| {PEERS[peer]} | {way} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(figures: Found) -> str:
    late = "-" if figures["p99"] is None else f"{figures['p99']:.0f}"
    return f"{figures['goodput']:.1f}, {late}"


def save_chart(found: list[Found], path: Path) -> None:
    """Goodput above, p99 below; a column for each peer."""
    figure = Figure(figsize=(3 * len(found), 5.5), dpi=120, layout="constrained")
    rows = figure.subplots(2, len(found), sharex=True, sharey="row", squeeze=False)
    for column, each in enumerate(found):
        peer = each["peer"]
        for name, colour, label in ((peer, THEIRS, "the peer"), ("hiseg", OURS, "hiseg")):
            loads = [load["share"] * 100 for load in each["loads"]]
            for row, value in ((0, "goodput"), (1, "p99")):
                values = [load[name][value] for load in each["loads"]]
                rows[row, column].plot(loads, values, "o-", color=colour, label=label, linewidth=2, markersize=5)
        rows[0, column].set_title(PEERS[peer], loc="left", fontsize=11)
        rows[1, column].set_xlabel("load, % of hiseg's capacity", color=GREY, fontsize=9)
    rows[1, 0].set_yscale("log")
    rows[0, 0].set_ylabel("answers within 2 s, a second", color=GREY)
    rows[1, 0].set_ylabel("p99, ms", color=GREY)
    for axes in rows.flat:
        _plain(axes)
    handles, labels = rows[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=2, frameon=False)
    figure.savefig(path, format="png")


def _plain(axes: Axes) -> None:
    axes.grid(True, color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=GREY)


if __name__ == "__main__":
    measured = results()
    print(table(measured))
    for path in sys.argv[1:]:
        save_chart(measured, Path(path))
