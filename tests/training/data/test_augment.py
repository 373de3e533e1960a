"""Random changes keep images and identities together."""

from __future__ import annotations

import numpy as np
import pytest

from hiseg_training.data.augment import VISIBLE, Cutout, jitter_boxes, paste, random_affine, random_colour, warp


def scene() -> tuple[np.ndarray, np.ndarray]:
    image = np.zeros((80, 60, 3), dtype=np.uint8)
    identities = np.zeros((80, 60), dtype=np.uint8)
    image[20:60, 15:45] = 200
    identities[20:60, 15:45] = 1
    return image, identities


@pytest.mark.parametrize("seed", range(8))
def test_people_stay_on_their_pixels(seed: int) -> None:
    image, identities = scene()
    matrix = random_affine(np.random.default_rng(seed), (80, 60), (128, 128), (0.8, 1.2))
    moved, labels = warp(image, identities, matrix, (128, 128))
    assert moved.shape == (128, 128, 3)
    assert (labels == 1).sum() > 500
    assert moved[labels == 1].mean() > 180
    assert moved[labels == 0].mean() < 10


def test_colour_keeps_shape_and_type() -> None:
    image, _ = scene()
    for seed in range(20):
        changed = random_colour(np.random.default_rng(seed), image)
        assert changed.shape == image.shape
        assert changed.dtype == np.uint8
        np.testing.assert_array_equal(random_colour(np.random.default_rng(seed), image, 0.0), image)


def test_what_is_pasted_is_in_front_and_the_target_stays_visible() -> None:
    donor = Cutout(np.full((40, 20, 3), 90, dtype=np.uint8), np.ones((40, 20), dtype=np.uint8), np.ones(2))
    pasted = 0
    for seed in range(30):
        image, identities = scene()
        box = paste(np.random.default_rng(seed), image, identities, 1, donor, 2, VISIBLE * 40 * 30)
        if box is None:
            assert not (identities == 2).any()
            continue
        pasted += 1
        assert (identities == 1).sum() >= VISIBLE * 40 * 30
        assert abs(image[identities == 2].mean() - 90) < 15
        rows, columns = np.nonzero(identities == 2)
        assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert pasted > 10


def test_what_is_pasted_keeps_its_proportions() -> None:
    """A square of which rows were left out, in an image of which columns were left out."""
    donor = Cutout(np.full((10, 40, 3), 90, dtype=np.uint8), np.ones((10, 40), dtype=np.uint8), np.array([1, 4]))
    sides = []
    for seed in range(30):
        image, labels = np.zeros((200, 100, 3), dtype=np.uint8), np.zeros((200, 100), dtype=np.uint8)
        labels[90:110, 45:55] = 1
        box = paste(np.random.default_rng(seed), image, labels, 1, donor, 2, 0, (1.5, 0.0), np.array([2, 1]))
        if box is not None:
            sides.append((box[2] - box[0], box[3] - box[1]))
    np.testing.assert_allclose(sides, [(15, 30)] * len(sides), atol=1)
    assert len(sides) > 10


def test_jitter_moves_edges_by_no_more_than_its_share() -> None:
    boxes = np.array([[10, 10, 50, 90], [0, 0, 100, 100]], dtype=np.float32)
    moved = jitter_boxes(np.random.default_rng(0), boxes, 0.1, (0, 0, 100, 100))
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], (1, 2))
    assert (np.abs(moved - boxes) <= 0.1 * sides + 1e-4).all()
    assert (moved != boxes).any()
    assert moved.min() >= 0
    assert moved.max() <= 100
