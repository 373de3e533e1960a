"""Send times of the open loop."""

from __future__ import annotations

import numpy as np
import pytest

from hiseg.bench.arrivals import Arrivals, arrival_times


def test_even_spacing() -> None:
    assert arrival_times(Arrivals.EVEN, 4, 1, np.random.default_rng(0)) == [0, 0.25, 0.5, 0.75]


def test_poisson_keeps_the_rate_and_its_gaps_are_exponential() -> None:
    times = arrival_times(Arrivals.POISSON, 200, 100, np.random.default_rng(0))
    assert len(times) == pytest.approx(20_000, rel=0.03)
    assert times == sorted(times)
    assert min(times) >= 0
    assert max(times) < 100
    gaps = np.diff(times)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)


def test_the_seed_decides() -> None:
    first, again, other = (arrival_times(Arrivals.POISSON, 50, 2, np.random.default_rng(s)) for s in (3, 3, 4))
    assert first == again != other
