"""When an open loop sends: every time is fixed before the run, whatever the service does during it."""

from __future__ import annotations

from enum import StrEnum

import numpy as np


class Arrivals(StrEnum):
    """How requests are spaced: as independent callers would come, or like a metronome."""

    POISSON = "poisson"
    EVEN = "even"


def arrival_times(spacing: Arrivals, rate: float, seconds: float, random: np.random.Generator) -> list[float]:
    """Seconds after the start at which to send, ascending, all before ``seconds``; ``rate`` is requests a second."""
    if spacing is Arrivals.EVEN:
        return [number / rate for number in range(int(np.ceil(seconds * rate)))]
    # Given how many there are, the arrivals of a Poisson process lie uniformly.
    return sorted(float(time) for time in random.uniform(0, seconds, random.poisson(rate * seconds)))
