"""A chart of a run: every request over time, and the percentiles of the good ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from hiseg.bench.load import Sample
from hiseg.bench.report import after_warm_up, count_outcomes
from hiseg.bench.sender import Outcome

COLOURS: dict[str, str] = {
    Outcome.OK: "#2a78b8",
    Outcome.OVERLOADED: "#e8a33d",
    Outcome.UNAVAILABLE: "#c96a2b",
    Outcome.DEADLINE_EXCEEDED: "#c23b3b",
    Outcome.CONNECTION_ERROR: "#4d4d4d",
    Outcome.TIMEOUT: "#7a4fa3",
}
OTHER_COLOUR = "#b0489a"
GREY = "#666666"
LOG_RANGE = 30
"""Latencies that differ by more than this factor are drawn on a logarithmic axis."""
SHARES = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
"""Percentiles on the axis; the first four are written at the curve too."""


def save_plot(path: Path, samples: Sequence[Sample], warm_up: float, title: str) -> None:
    """Write the chart as a PNG.

    Args:
        path: where to.
        samples: all requests of the run, at least one.
        warm_up: seconds at the start that don't count.
        title: stands above the chart.
    """
    with matplotlib.rc_context({"font.size": 10, "axes.edgecolor": "#999999", "axes.titlesize": 11}):
        # A figure of its own, not pyplot's: no window, no global state.
        figure = Figure(figsize=(12, 5), dpi=120, layout="constrained")
        over_time, curve = figure.subplots(1, 2, width_ratios=(3, 2), sharey=True)
        figure.suptitle(title, fontsize=11, color="#333333")
        _draw_dots(over_time, samples, warm_up)
        _draw_percentiles(
            curve, [s.latency_ms for s in after_warm_up(samples, warm_up) if s.reply.outcome == Outcome.OK]
        )
        _scale(over_time, [sample.latency_ms for sample in samples])
        over_time.set_ylabel("latency from intended send time, ms", color=GREY)
        figure.legend(loc="outside lower left", ncols=8, frameon=False, markerscale=2, handletextpad=0.3)
        for axes in (over_time, curve):
            axes.grid(True, color="#e6e6e6", linewidth=0.8)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(colors=GREY, labelleft=True)
        figure.savefig(path, format="png")


def _draw_dots(axes: Axes, samples: Sequence[Sample], warm_up: float) -> None:
    axes.set_title("Every request", loc="left")
    size = float(np.clip(12000 / max(1, len(samples)), 3, 18))
    # The most frequent first, so that rare ones lie on top.
    drawn = count_outcomes(sample.reply.outcome for sample in samples)
    counted = count_outcomes(sample.reply.outcome for sample in after_warm_up(samples, warm_up))
    for outcome in sorted(drawn, key=lambda outcome: -drawn[outcome]):
        dots = [sample for sample in samples if sample.reply.outcome == outcome]
        if dots:
            axes.scatter(
                [sample.intended for sample in dots],
                [sample.latency_ms for sample in dots],
                s=size,
                color=COLOURS.get(outcome, OTHER_COLOUR),
                alpha=0.6,
                linewidths=0,
                label=f"{outcome} ({counted.get(outcome, 0)})",
            )
    if warm_up:
        axes.axvspan(0, warm_up, color="#000000", alpha=0.06, linewidth=0, label="warm-up, not counted")
    axes.set_xlim(0, max(0.1, *(sample.intended for sample in samples)) * 1.01)
    axes.set_xlabel("intended send time, s after the start", color=GREY)


def _draw_percentiles(axes: Axes, latencies: Sequence[float]) -> None:
    axes.set_title("Percentiles of the good answers", loc="left")
    axes.set_xlabel("percentile", color=GREY)
    axes.set_xscale("log")
    if not latencies:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", color=GREY)
        return
    # Each step of ten is one more nine: 90%, 99%, 99.9%; as far as there are requests.
    one_in = np.geomspace(1, len(latencies), 400)
    values = np.percentile(latencies, 100 - 100 / one_in)
    axes.plot(one_in, values, color=COLOURS[Outcome.OK], linewidth=2, solid_capstyle="round")
    axes.fill_between(one_in, values, color=COLOURS[Outcome.OK], alpha=0.08, linewidth=0)
    for share in SHARES[:4]:
        one_in_share = 1 / (1 - share)
        if one_in_share <= len(latencies):
            value = float(np.percentile(latencies, share * 100))
            axes.plot(one_in_share, value, "o", color=COLOURS[Outcome.OK], markersize=5)
            text = f"{value:.0f}" if value >= 100 else f"{value:.3g}"
            axes.annotate(text, (one_in_share, value), (6, -12), textcoords="offset points", fontsize=9)
    axes.set_xticks([1 / (1 - share) for share in SHARES], [f"{share * 100:g}%" for share in SHARES])
    axes.set_xlim(1, max(100, len(latencies)) * 1.1)
    axes.xaxis.set_minor_locator(NullLocator())


def _scale(axes: Axes, latencies: Sequence[float]) -> None:
    low, high = (min(latencies), max(latencies)) if latencies else (0.0, 1.0)
    if low > 0 and high > low * LOG_RANGE:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.set_ylim(0, high * 1.08)
