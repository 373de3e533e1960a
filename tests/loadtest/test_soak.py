"""What the soak test counts as growth, and what not."""

from __future__ import annotations

from loadtest.soak import DESCRIPTORS, MEMORY_MIB, Sample, judge


def hour(memory: float, descriptors: float, warm_up: float = 0.0) -> list[Sample]:
    """Samples of an hour in which both grow evenly, by so much, and memory by ``warm_up`` in the first minutes."""
    return [
        Sample(
            60.0 * minute,
            300 + memory * minute / 60 + min(1, minute / 5) * warm_up,
            24 + round(descriptors * minute / 60),
            20,
        )
        for minute in range(61)
    ]


def test_a_flat_hour_passes_whatever_its_warm_up_took() -> None:
    verdict = judge(hour(0, 0, warm_up=200))
    assert verdict.passed
    assert verdict.memory == 0
    assert verdict.descriptors == 0


def test_memory_that_grows_all_the_time_fails() -> None:
    assert not judge(hour(memory=1.5 * MEMORY_MIB, descriptors=0)).passed


def test_descriptors_that_grow_all_the_time_fail() -> None:
    assert not judge(hour(memory=0, descriptors=1.5 * DESCRIPTORS)).passed


def test_one_peak_is_reported_but_is_no_growth() -> None:
    samples = hour(0, 0)
    samples[30] = Sample(samples[30].at, 500, 90, 20)
    verdict = judge(samples)
    assert verdict.passed
    assert verdict.highest == 200
