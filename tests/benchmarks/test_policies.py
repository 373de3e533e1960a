"""Batching without a timer is never worse than a fixed window; in virtual time, so the figures are always the same."""

from __future__ import annotations

import pytest

from benchmarks.policies import LOADS, WINDOWS_MS, fixed_window, measure, no_timer

ROUNDING = 1.001
SECONDS = 15


@pytest.mark.parametrize("load", LOADS)
def test_batching_without_a_timer_is_no_worse_than_any_window(load: float) -> None:
    ours = measure(no_timer, load, SECONDS)
    for window in WINDOWS_MS:
        theirs = measure(fixed_window(window), load, SECONDS)
        assert ours.p99_ms <= theirs.p99_ms * ROUNDING
        assert ours.per_s >= theirs.per_s / ROUNDING
