"""Random batches are valid: boxes within the canvas, indices of images that exist, and repeatable."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hiseg.engines.base import Outputs
from hiseg.models.random_inputs import random_batch


@given(images=st.integers(1, 5), people=st.integers(0, 20), seed=st.integers(0, 9))
def test_a_batch_is_one_that_callers_could_send(images: int, people: int, seed: int) -> None:
    batch = random_batch((32, 64), images, people, Outputs.MASKS, seed)
    assert (batch.images.shape, batch.images.dtype) == ((images, 3, 32, 64), np.uint8)
    assert (batch.rois.shape, batch.rois.dtype) == ((people, 5), np.float32)
    owners, corners = batch.rois[:, 0], batch.rois[:, 1:]
    assert set(owners) == set(range(min(images, people)))
    assert ((corners >= 0) & (corners <= 1)).all()
    assert (corners[:, :2] <= corners[:, 2:]).all()
    assert batch.meta.requested is Outputs.MASKS
    assert np.array_equal(random_batch((32, 64), images, people, Outputs.MASKS, seed).rois, batch.rois)
