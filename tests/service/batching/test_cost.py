"""The cost model learns from batches and is robust against outliers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.batching.cost import CostModel
from hiseg.engines.base import Cost

PRIOR = Cost(4.0, 4.0, 1.0)


def teach(model: CostModel, truth: Cost, batches: int, seed: int = 0, noise: float = 0.1) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(batches):
        images = int(rng.integers(1, 9))
        rois = int(rng.integers(0, 6 * images))
        model.observe(images, rois, truth.batch(images, rois) * rng.lognormal(0, noise))


@pytest.mark.parametrize("truth", [Cost(4, 0, 0.9), Cost(0, 33, 8), Cost(20, 0, 0), Cost(1, 2, 3), Cost(0.5, 0.2, 0.1)])
def test_it_converges_from_a_wrong_prior(truth: Cost) -> None:
    model = CostModel(PRIOR)
    teach(model, truth, 100)
    for images, rois in ((1, 0), (1, 3), (4, 12), (8, 40)):
        assert model.now.batch(images, rois) == pytest.approx(truth.batch(images, rois), rel=0.15)


def test_before_any_batch_it_is_the_prior() -> None:
    assert CostModel(PRIOR).now == PRIOR


def test_outliers_change_it_little() -> None:
    model = CostModel(PRIOR)
    model.observe(1, 2, 5000)  # the first run of a cold engine
    assert model.now.batch(1, 2) < 4 * PRIOR.batch(1, 2)
    teach(model, PRIOR, 50)
    before = model.now.batch(4, 12)
    model.observe(4, 12, 100 * before)
    assert model.now.batch(4, 12) == pytest.approx(before, rel=0.1)


def test_it_follows_a_lasting_change() -> None:
    model = CostModel(PRIOR)
    teach(model, PRIOR, 100)
    slower = Cost(12, 12, 3)
    teach(model, slower, 60, seed=1)
    assert model.now.batch(4, 12) == pytest.approx(slower.batch(4, 12), rel=0.2)


def test_equal_batches_alone_leave_the_other_prices_in_their_proportion() -> None:
    model = CostModel(PRIOR)
    for _ in range(100):
        model.observe(1, 2, 2 * PRIOR.batch(1, 2))
    assert model.now.batch(1, 2) == pytest.approx(2 * PRIOR.batch(1, 2), rel=0.05)
    assert PRIOR.roi < model.now.roi < 4 * PRIOR.roi


@given(st.lists(st.tuples(st.integers(1, 16), st.integers(0, 100), st.floats(0, 1e5)), max_size=60))
def test_whatever_it_observes_no_price_is_negative_or_not_finite(batches: list[tuple[int, int, float]]) -> None:
    model = CostModel(PRIOR)
    for images, rois, milliseconds in batches:
        model.observe(images, rois, milliseconds)
        now = model.now
        assert all(0 <= price < 1e7 for price in (now.constant, now.image, now.roi))
