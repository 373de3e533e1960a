"""The figures of a run, computed from its samples: pure arithmetic, without clocks or transports."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from hiseg.bench.load import Sample
from hiseg.bench.sender import REFUSALS, UNANSWERED, Outcome


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a run, without its warm-up.

    Attributes:
        seconds: length of the measured time.
        sent: requests meant for the measured time; the outcomes add up to it.
        answered: how many of them got any answer.
        ok_per_s: good answers a second that came within the measured time.
        people_per_s: boxes a second in these answers.
        latency_ms: p50, p95, p99 and max of good answers, from the intended send time.
        refusal_ms: p50 and p99 of requests that the service refused, from the intended send time.
        outcomes: number of requests by outcome.
        details: by outcome, what the first answer said, for outcomes that load alone doesn't explain.
        late_ms: p99 of how late requests were sent; None in a closed loop, which has no times to be late for.
        stages_ms: median milliseconds that the service says it spent on good answers, by stage.
        cpu_ms: processor time of the load generator itself, in milliseconds a request.
        cpu_share: the same as a share of one core.
    """

    seconds: float
    sent: int
    answered: int
    ok_per_s: float
    people_per_s: float
    latency_ms: Mapping[str, float | None]
    refusal_ms: Mapping[str, float | None]
    outcomes: Mapping[str, int]
    details: Mapping[str, str]
    late_ms: float | None
    stages_ms: Mapping[str, float]
    cpu_ms: float
    cpu_share: float


def compute_report(
    samples: Sequence[Sample], warm_up: float, seconds: float, cpu_s: float, wall_s: float, scheduled: bool
) -> Report:
    """Compute the figures of a run.

    Args:
        samples: all requests of the run.
        warm_up: seconds at the start that don't count.
        seconds: seconds after the warm-up, which are measured.
        cpu_s: processor time, in seconds, that the generator spent on all samples.
        wall_s: seconds from the start until the last answer.
        scheduled: whether requests had times to be sent at (open loop).
    """
    counted = after_warm_up(samples, warm_up)
    good = [sample for sample in counted if sample.reply.outcome == Outcome.OK]
    inside = [s.people for s in samples if s.reply.outcome == Outcome.OK and warm_up <= s.done < warm_up + seconds]
    outcomes = count_outcomes(sample.reply.outcome for sample in counted)
    details: dict[str, str] = {}
    for sample in counted:
        if sample.reply.detail:
            details.setdefault(sample.reply.outcome, sample.reply.detail)
    late = percentiles([(sample.sent - sample.intended) * 1000 for sample in counted], 99)
    return Report(
        seconds=seconds,
        sent=len(counted),
        answered=len(counted) - sum(outcomes[outcome] for outcome in UNANSWERED),
        ok_per_s=len(inside) / seconds,
        people_per_s=sum(inside) / seconds,
        latency_ms=percentiles([sample.latency_ms for sample in good], 50, 95, 99, 100),
        refusal_ms=percentiles([s.latency_ms for s in counted if s.reply.outcome in REFUSALS], 50, 99),
        outcomes=outcomes,
        details=details,
        late_ms=late["p99"] if scheduled else None,
        stages_ms=stage_medians(sample.reply.stages for sample in good),
        cpu_ms=cpu_s * 1000 / max(1, len(samples)),
        cpu_share=cpu_s / wall_s if wall_s > 0 else 0.0,
    )


def after_warm_up(samples: Iterable[Sample], warm_up: float) -> list[Sample]:
    """Select the samples that count: those meant to be sent after the warm-up."""
    return [sample for sample in samples if sample.intended >= warm_up]


def percentiles(values: Sequence[float], *points: float) -> dict[str, float | None]:
    """Compute percentiles, called ``p50``, ``p99`` and so on, ``max`` for 100; None where there are no values."""
    names = ["max" if point == 100 else f"p{point:g}" for point in points]
    found = np.percentile(values, points).tolist() if values else [None] * len(points)
    return dict(zip(names, found, strict=True))


def count_outcomes(outcomes: Iterable[str]) -> dict[str, int]:
    """Count outcomes: first every :class:`Outcome`, also where it is 0, then others, the most frequent first."""
    counts = Counter(outcomes)
    return dict.fromkeys(map(str, Outcome), 0) | dict(counts.most_common())


def stage_medians(replies: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Compute the median milliseconds of each stage, in the order in which the service names them."""
    stages: defaultdict[str, list[float]] = defaultdict(list)
    for reply in replies:
        for stage, milliseconds in reply.items():
            stages[stage].append(milliseconds)
    return {stage: median(values) for stage, values in stages.items()}
