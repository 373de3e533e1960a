"""The ablation compares runs person by person, on the same photos."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.ablation import RECIPE, Found
from benchmarks.harness.paths import ROOT
from hiseg_training.recipes.plan import read_plan


def test_differences_are_taken_person_by_person() -> None:
    plain, other = (np.array(ious, np.float32) for ious in ([0.2, 0.9, 0.5, 0.4], [0.3, 0.9, 0.4, 0.8]))
    assert Found([other, plain]).against(Found([plain, plain])) == ["+10.0 ± 9.4", "+0.0 ± 0.0"]


def test_people_of_other_photos_are_not_compared() -> None:
    with pytest.raises(ValueError, match="argument 2"):
        Found([np.zeros(3)]).against(Found([np.zeros(3), np.zeros(2)]))


def test_each_run_differs_from_the_first_in_one_thing() -> None:
    first, *others = read_plan(ROOT / RECIPE).step
    assert not first.set
    for step in others:
        assert step.start is None
        assert len(step.set) == 1
        assert step.name == "pseudo" or not step.flags
