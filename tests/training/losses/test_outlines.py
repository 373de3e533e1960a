"""Bands and distances against every pixel compared with every other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from hiseg_training.config.model import MASK_TO_ROI
from hiseg_training.losses.outlines import (
    GAP,
    REACH,
    band_radius,
    distance_to,
    outline_band,
    proximity_weight,
    signed_distance,
)
from tests.training.losses.maps import Array, blobs, nearest, seeds


def neighbourhood(plane: Array, y: int, x: int, radius: int) -> Array:
    found: Array = plane[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
    return found


@given(seeds)
@settings(max_examples=15)
def test_bands(seed: int) -> None:
    labels, known = blobs(seed), blobs(seed + 1) != 0
    radius = band_radius(labels.shape[1])
    target = outline_band(torch.from_numpy(labels == 1), torch.from_numpy(known)).numpy()
    change = outline_band(torch.from_numpy(labels), torch.from_numpy(known)).numpy()
    for n, y, x in np.ndindex(*labels.shape):
        near = neighbourhood(labels[n], y, x, radius)[neighbourhood(known[n], y, x, radius)]
        assert target[n, y, x] == (len(np.unique(near == 1)) > 1)
        assert change[n, y, x] == (len(np.unique(near)) > 1)


@pytest.mark.parametrize("size", [(32, 24), (64, 48), *MASK_TO_ROI])
@pytest.mark.parametrize("upright", [True, False])
def test_straight_edges_have_a_band_at_every_mask_size(size: tuple[int, int], upright: bool) -> None:
    mask = torch.zeros(1, *size, dtype=torch.bool)
    half = mask[:, :, size[1] // 2 :] if upright else mask[:, size[0] // 2 :]
    half[:] = True
    width = outline_band(mask, torch.ones_like(mask))[0].sum(int(upright))
    assert (width == 2 * band_radius(size[0])).all(), "and none at the map's edge, where a person is only cut off"


def test_the_band_is_as_thick_a_part_of_the_person_at_every_size() -> None:
    assert [band_radius(height) for height in (32, 64, 128, 256)] == [1, 1, 2, 4]


@given(seeds)
@settings(max_examples=15)
def test_distances(seed: int) -> None:
    labels = blobs(seed, people=1, height=16, width=12)
    target, other = labels[0] == 1, labels[0] == 2
    signed = signed_distance(torch.from_numpy(labels == 1))[0].numpy()
    found = distance_to(torch.from_numpy(labels == 1))[0].numpy()
    meeting = proximity_weight(torch.from_numpy(labels == 1), torch.from_numpy(labels == 2))[0].numpy()
    for y, x in np.ndindex(*target.shape):
        away = nearest(target, y, x)
        assert found[y, x] == (pytest.approx(away, abs=1e-3) if np.isfinite(away) else sum(target.shape))
        plain = nearest(~target, y, x) - 0.5 if target[y, x] else 0.5 - away
        assert signed[y, x] == pytest.approx(np.clip(plain / (16 * REACH), -1, 1), abs=1e-3)
        gap = away + nearest(other, y, x)
        assert meeting[y, x] == pytest.approx(np.exp(-(gap**2) / (2 * (16 * GAP) ** 2)), abs=1e-3)


def test_nobody_everybody_and_no_crops() -> None:
    nobody = torch.zeros(2, 8, 6, dtype=torch.bool)
    assert (signed_distance(nobody) == -1).all()
    assert (signed_distance(~nobody) == 1).all()
    assert not outline_band(nobody, ~nobody).any()
    assert not outline_band(~nobody, ~nobody).any()
    assert proximity_weight(nobody, ~nobody).max() < 1e-6
    assert signed_distance(nobody[:0]).shape == outline_band(nobody[:0], nobody[:0]).shape == (0, 8, 6)
