"""A version gets an INT8 file only if it is as good and faster."""

from __future__ import annotations

import pytest

from hiseg_training.export.int8 import decide

BEFORE = {"val": 0.8, "ood": 0.9, "none": None, "ms": {"1 person": 4.0, "16 people": 40.0}}
SPLITS = ("val", "ood", "none")


@pytest.mark.parametrize(
    ("val", "ood", "one", "many", "published", "decided_by", "said"),
    [
        (
            0.797,
            0.9,
            3.0,
            30.0,
            True,
            "val",
            "-0.30 points on val (0.8000 to 0.7970), the worst of all splits (+0.00 on",
        ),
        (0.81, 0.91, 4.2, 30.0, True, "val", "+1.00 points on val"),
        (0.7969, 0.9, 1.0, 1.0, False, "val", "-0.31 points on val"),
        (
            0.7974,
            0.8937,
            1.0,
            1.0,
            False,
            "ood",
            "-0.63 points on ood (0.9000 to 0.8937), the worst of all splits (-0.26 on",
        ),
        (0.8, 0.9, 4.8, 40.0, False, "val", "it takes 1.10 times as long"),
    ],
)
def test_int8_must_lose_next_to_nothing_on_every_split_and_be_faster(
    val: float, ood: float, one: float, many: float, published: bool, decided_by: str, said: str
) -> None:
    found = decide(BEFORE, {"val": val, "ood": ood, "none": None, "ms": {"1 person": one, "16 people": many}}, SPLITS)
    assert (found.published, found.decided_by) == (published, decided_by)
    assert said in found.because
    assert "at most 0.3 may be lost on each" in found.because


def test_a_single_split_decides_alone_and_one_without_a_figure_never() -> None:
    int8 = {"val": 0.799, "none": None, "ms": {"1 person": 3.0, "16 people": 30.0}}
    assert decide(BEFORE, int8, ["val"]).because.startswith("-0.10 points on val (0.8000 to 0.7990); at most")
    assert not decide(BEFORE, int8, ["none"]).published
