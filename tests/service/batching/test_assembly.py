"""Jobs are assembled into batches, and results are split into those of each job."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.batching.assembly import assemble, scatter
from hiseg.batching.job import Prepared
from hiseg.core.result import ModelRef
from hiseg.engines.base import Prediction


def member(marker: int, rois: int) -> Prepared:
    return Prepared(np.full((3, 4, 6), marker, dtype=np.uint8), np.full((rois, 4), marker / 10, dtype=np.float32))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.sampled_from([(), (4, 8, 16), (2,)]))
def test_what_is_put_together_comes_apart_in_the_same_pieces(counts: list[int], roi_counts: tuple[int, ...]) -> None:
    members = [member(marker, count) for marker, count in enumerate(counts)]
    batch = assemble(members, roi_counts)
    assert batch.images.shape == (len(counts), 3, 4, 6)
    logit_margins = np.broadcast_to(batch.rois[:, 1, None, None], (len(batch.rois), 2, 2))
    foreground = batch.images[:, 0].astype(np.float32)
    boxes = np.array([[k, 0, 0, 1, 1, k / 10] for k, count in enumerate(counts) for _ in range(count)], np.float32)
    boxes = boxes.reshape(-1, 6)[::-1]
    whole = Prediction(logit_margins, foreground, ModelRef("m", "1", "b0"), crop_scale=1.2, boxes=boxes)
    for marker, part in enumerate(scatter(whole, members)):
        assert (part.model, part.crop_scale) == (whole.model, whole.crop_scale)
        assert part.logit_margins.shape[0] == counts[marker]
        np.testing.assert_allclose(part.logit_margins, marker / 10)
        np.testing.assert_array_equal(part.foreground, np.full((1, 4, 6), marker))
        np.testing.assert_allclose(part.boxes, [[0, 0, 0, 1, 1, marker / 10]] * counts[marker] or np.zeros((0, 6)))
    assert batch.rois[: sum(counts), 0].tolist() == [k for k, count in enumerate(counts) for _ in range(count)]


@pytest.mark.parametrize(("count", "padded"), [(0, 0), (1, 4), (4, 4), (5, 8), (9, 9)])
def test_rois_are_padded_to_a_count_that_is_warm(count: int, padded: int) -> None:
    batch = assemble([member(1, count)], (0, 4, 8))
    assert len(batch.rois) == padded
    assert not batch.rois[count:].any(), "padding has no area"


def test_a_lone_image_is_not_copied() -> None:
    alone = member(1, 2)
    assert np.shares_memory(assemble([alone]).images, alone.image)
