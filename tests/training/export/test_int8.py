"""A version gets an INT8 file only if it is as good and faster."""

from __future__ import annotations

import pytest

from hiseg_training.export.int8 import refusal

BEFORE = {"val": 0.8, "ms": {"1 person": 4.0, "16 people": 40.0}}


@pytest.mark.parametrize(
    ("val", "one", "many", "said"),
    [
        (0.7971, 3.0, 30.0, ""),
        (0.81, 4.2, 30.0, ""),
        (0.7969, 1.0, 1.0, "it loses 0.31 points on val; at most 0.3 are taken"),
        (0.8, 4.8, 40.0, "it takes 1.10 times as long"),
    ],
)
def test_int8_must_lose_next_to_nothing_and_be_faster(val: float, one: float, many: float, said: str) -> None:
    found = refusal(BEFORE, {"val": val, "ms": {"1 person": one, "16 people": many}}, "val")
    assert found.endswith(said)
    assert bool(found) is bool(said)
