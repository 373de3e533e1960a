"""Class weights, against the document's figures and what must hold for any shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg_training.data.weights import BOOST, separation_weights

COCO_TRAIN = (0.48647, 0.36598, 0.14756)
"""Shares of background, target and other people in the RoIs of COCO train2017, padded by 10 %, of which the document's
weights come. (Its text has 53.8, 33.3 and 12.9 %, which are of other RoIs and give other weights.)"""
SHARES = st.floats(0.01, 1)


def test_the_documents_weights() -> None:
    assert separation_weights(*COCO_TRAIN) == pytest.approx((0.538, 0.750, 1.712), abs=5e-4)


@given(SHARES, SHARES, SHARES)
def test_what_holds_for_any_shares(background: float, target: float, other: float) -> None:
    found = separation_weights(background, target, other)
    assert sum(found) == pytest.approx(3)
    assert min(found) > 0
    assert separation_weights(7 * background, 7 * target, 7 * other) == pytest.approx(found)
    assert (found.background >= found.target) == (background <= target)
    assert (found.other / BOOST >= found.target - 1e-12) == (other <= target) or other == pytest.approx(target)


@pytest.mark.parametrize("shares", [(1, 0, 0), (-0.1, 0.6, 0.5), (0, 0, 0)])
def test_shares_that_are_none(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        separation_weights(*shares)
