"""Smoothing removes noise from logits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.job import Smoothing
from hiseg.masks.smoothing import smooth

BOTH = [Smoothing.EDGE, Smoothing.BILATERAL]


def disc(noise: float, softness: float = 0.05, seed: int = 0) -> np.ndarray:
    y, x = ((np.arange(n) + 0.5) / n * 2 - 1 for n in (128, 96))
    distance = np.sqrt(y[:, None] ** 2 + x[None] ** 2)
    return ((0.7 - distance) / softness + np.random.default_rng(seed).normal(0, noise, (128, 96))).astype(np.float32)


def length(mask: np.ndarray) -> int:
    """Of the outline, in cell edges."""
    padded = np.pad(mask, 1)
    return int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())


def test_none_changes_nothing() -> None:
    margin = disc(1)
    assert smooth(margin, Smoothing.NONE) is margin


@pytest.mark.parametrize("how", BOTH)
def test_a_noisy_outline_becomes_shorter_and_truer(how: Smoothing) -> None:
    truth, noisy = disc(0) > 0, disc(1)
    smoothed = smooth(noisy, how) > 0
    assert length(truth) <= length(smoothed) < length(noisy > 0)
    assert (smoothed != truth).sum() < ((noisy > 0) != truth).sum()


@pytest.mark.parametrize("how", BOTH)
def test_a_straight_edge_stays_where_it_is(how: Smoothing) -> None:
    margin = np.full((32, 24), -4, dtype=np.float32)
    margin[:, 9:] = 4
    np.testing.assert_array_equal(smooth(margin, how) > 0, margin > 0)


def test_bilateral_keeps_a_sharp_corner_and_edge_rounds_it() -> None:
    margin = np.full((32, 24), -8, dtype=np.float32)
    margin[10:, 10:] = 8
    assert smooth(margin, Smoothing.BILATERAL)[10, 10] > 0
    assert smooth(margin, Smoothing.EDGE)[10, 10] < 0


def test_edge_makes_a_soft_staircase_of_ones_and_zeros() -> None:
    """Models that answer with 0 and 1 alone gain most: between -8 and 8 there was nothing to interpolate."""
    ones = np.where(disc(0) > 0, 8, -8).astype(np.float32)
    assert np.abs(smooth(ones, Smoothing.EDGE)).min() < 1


@pytest.mark.parametrize("how", BOTH)
@given(st.floats(-20, 20), st.integers(1, 9), st.integers(1, 9))
def test_constant_probabilities_stay_up_to_the_border(how: Smoothing, level: float, h: int, w: int) -> None:
    found = smooth(np.full((h, w), level, dtype=np.float32), how)
    np.testing.assert_allclose(1 / (1 + np.exp(-found)), 1 / (1 + np.exp(-level)), atol=2e-6)
