"""Batches of any size are divided into pieces that hold each image and each mask once, within the limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.image import Floats
from hiseg.engines.pieces import PieceLimits, divide


def rois_in(images: list[int]) -> Floats:
    rois = np.zeros((len(images), 5), dtype=np.float32)
    rois[:, 0] = images
    rois[:, 1] = np.arange(len(images))
    return rois


@given(
    st.integers(1, 8).flatmap(
        lambda images: st.tuples(st.just(images), st.lists(st.integers(0, images - 1), max_size=40))
    ),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 9)),
)
def test_every_image_and_every_mask_is_in_one_piece_with_all_boxes_of_its_image(
    batch: tuple[int, list[int]], most_images: int, most_rois: int | None
) -> None:
    images, rois = batch[0], rois_in(batch[1])
    pieces = [*divide(images, rois, PieceLimits(most_images, most_rois))]
    masks = [row for piece in pieces for row in piece.rows[piece.masks]]
    assert sorted(masks) == [*range(len(rois))]
    covered = [image for piece in pieces if piece.has_foreground for image in range(images)[piece.images]]
    assert covered == [*range(images)]
    for piece in pieces:
        inside = range(images)[piece.images]
        assert len(inside) <= most_images
        assert most_rois is None or len(piece.rows[piece.masks]) <= most_rois
        assert sorted(piece.rows) == [row for row, image in enumerate(batch[1]) if image in inside]
        own = piece.rois(rois)
        np.testing.assert_array_equal(own[:, 0] + inside.start, rois[piece.rows, 0])
        np.testing.assert_array_equal(own[:, 1:], rois[piece.rows, 1:])


def test_a_batch_within_the_limits_is_one_piece() -> None:
    (piece,) = divide(2, rois_in([0, 1, 1]), PieceLimits(4, 16))
    assert (piece.images, piece.masks, [*piece.rows]) == (slice(0, 2), slice(0, 3), [0, 1, 2])


def test_a_roi_of_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="no image"):
        list(divide(1, rois_in([1]), PieceLimits(4, 16)))
