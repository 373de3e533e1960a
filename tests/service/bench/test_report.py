"""The figures of a report are computed and printed correctly."""

from __future__ import annotations

import pytest

from hiseg.bench.load import Sample
from hiseg.bench.report import Report, compute_report, percentiles
from hiseg.bench.sender import Reply
from hiseg.bench.table import format_table


def sample(intended: float, latency_ms: float, outcome: str = "ok", late: float = 0.0, people: int = 2) -> Sample:
    stages = {"decode": latency_ms / 10, "infer": latency_ms / 2} if outcome == "ok" else {}
    detail = "" if outcome != "422" else f"bad box at {intended}"
    return Sample(intended, intended + late, intended + latency_ms / 1000, people, Reply(outcome, 10, stages, detail))


def figures(*samples: Sample, scheduled: bool = True, cpu_s: float = 0.5) -> Report:
    return compute_report(samples, warm_up=1, seconds=4, cpu_s=cpu_s, wall_s=5, scheduled=scheduled)


def test_percentiles() -> None:
    assert percentiles([float(n) for n in range(101)], 50, 99, 100) == {"p50": 50, "p99": 99, "max": 100}
    assert percentiles([], 50, 99.9) == {"p50": None, "p99.9": None}


def test_outcomes_add_up_and_the_warm_up_is_left_out() -> None:
    outcomes = ["ok", "ok", "429", "429", "429", "503", "504", "422", "422", "timeout", "connection error"]
    found = figures(sample(0.5, 9000), *(sample(1 + i / 10, 20 + i, outcome) for i, outcome in enumerate(outcomes)))
    assert sum(found.outcomes.values()) == found.sent == len(outcomes)
    assert found.answered == len(outcomes) - 2
    assert found.outcomes["429"] == 3
    assert found.outcomes["422"] == 2
    assert found.details == {"422": "bad box at 1.7"}
    assert found.latency_ms["max"] == pytest.approx(21)
    assert found.refusal_ms["p50"] == pytest.approx(23.5)
    assert found.stages_ms == pytest.approx({"decode": 2.05, "infer": 10.25})


def test_throughput_counts_what_came_within_the_measured_time() -> None:
    # Sent in the warm-up and answered after it; both inside; sent inside and answered too late.
    found = figures(sample(0.9, 200), sample(2, 100), sample(4.9, 200), sample(3, 100, "429"))
    assert found.ok_per_s == 2 / 4
    assert found.people_per_s == 4 / 4
    assert found.sent == 3


def test_latency_counts_from_the_intended_time() -> None:
    found = figures(sample(2, 100, late=0.08))
    assert found.latency_ms["p50"] == pytest.approx(100)
    assert found.late_ms == pytest.approx(80)


def test_the_table_warns_when_the_generator_was_the_limit() -> None:
    assert "warning" not in format_table(figures(sample(2, 100, late=0.004)))
    assert "the generator, not the service, was the limit" in format_table(figures(sample(2, 100, late=0.006)))
    closed = format_table(figures(sample(2, 100, late=0.006), scheduled=False, cpu_s=4.9))
    assert "was the limit" not in closed
    assert "98% of a core: it may have been the limit" in closed


def test_the_table_without_any_answer() -> None:
    text = format_table(figures())
    assert "p50 -" in text
    assert "ok 0" in text
