"""Temperatures and the teacher's share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg_training.losses.schedules import SHAPES, TeacherShare, TemperatureSchedule


@given(st.sampled_from(SHAPES), st.floats(-5, 80), st.floats(0, 10))
def test_temperatures_fall_from_initial_to_final(shape: str, epoch: float, later: float) -> None:
    schedule = TemperatureSchedule(shape=shape)
    assert schedule.at(0) == pytest.approx(10)
    assert schedule.at(50) == schedule.at(51) == pytest.approx(1)
    assert 1 - 1e-9 <= schedule.at(epoch + later) <= schedule.at(epoch) + 1e-9 <= 10 + 1e-6


def test_temperatures_half_way_depend_on_the_shape() -> None:
    found = {shape: TemperatureSchedule(shape=shape).at(25) for shape in SHAPES}
    assert found == pytest.approx({"linear": 5.5, "cosine": 5.5, "exponential": 10**0.5})


def test_the_teachers_share_falls_to_0_as_the_student_overtakes_it() -> None:
    share = TeacherShare()
    shares = [share.at(student, 0.8) for student in (0.1, 0.7, 0.76, 0.8, 0.82, 0.83, 0.9)]
    assert shares[:3] == pytest.approx([0.7] * 3)
    assert shares == sorted(shares, reverse=True)
    assert 0 < share.at(0.8, 0.8) < 0.7
    assert shares[-1] == 0
    assert share.at(0.5, 0.0) == 0


@pytest.mark.parametrize("wrong", [{"initial": 0.0}, {"final": -1.0}, {"epochs": 0.0}, {"shape": "steps"}])
def test_impossible_temperatures_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TemperatureSchedule(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"most": 2.0}, {"near": 1.5}])
def test_impossible_shares_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TeacherShare(**wrong)
