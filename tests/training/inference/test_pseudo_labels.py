"""A model's outlines for photos with boxes: who is where, and how sure it was, up to the loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hiseg.core.canvas import Resize
from hiseg.core.image import Floats, Pixels
from hiseg_training.data.augment import random_affine, warp_linear
from hiseg_training.data.coco import Photo, read_annotations
from hiseg_training.data.dataset import AugmentConfig, PersonDataset, collate
from hiseg_training.engine.foreground import target_coverage
from hiseg_training.inference.pseudo_labels import add_pseudo_labels
from hiseg_training.inference.runner import Runner
from tests.training.drawing import HEIGHT, WIDTH

SURE = 0.7
CANVAS = (128, 160)
RECIPE = AugmentConfig(canvas=CANVAS, paste=0.0)


@pytest.fixture(scope="module")
def true(drawn: Path) -> list[Photo]:
    annotations = drawn / "annotations" / "instances_train2017_person_only_no_crowd.json"
    return read_annotations(annotations, drawn / "images" / "train2017")[:3]


@pytest.fixture(scope="module")
def boxed(true: list[Photo]) -> list[Photo]:
    return [replace(p, people=tuple(replace(person, rle=None) for person in p.people)) for p in true]


def runner(target: float, other: float = -9.0) -> Runner:
    """Says of the middle of each box, three quarters of its sides, that it is the target's, and how surely."""

    def predict(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        masks = np.zeros((len(rois), 3, 32, 24), dtype=np.float32)
        masks[:, 1], masks[:, 2] = -target, other
        masks[:, 1, 4:-4, 3:-3] = target
        return masks, np.zeros((len(images), 1, HEIGHT, WIDTH), dtype=np.float32)

    return Runner(((HEIGHT, WIDTH),), Resize.LETTERBOX, predict)


@pytest.fixture(scope="module")
def guessed(boxed: list[Photo]) -> list[Photo]:
    return add_pseudo_labels(boxed, runner(float(np.log(SURE / (1 - SURE)))))


def test_masks_are_thresholded_at_a_half_and_probabilities_are_kept(guessed: list[Photo]) -> None:
    for photo in guessed:
        assert photo.outlined
        _, identities, guess = photo.planes()
        assert guess.shape == (HEIGHT, WIDTH)
        assert set(np.unique(identities)) == set(range(len(photo.people) + 1))
        assert guess[identities > 0].min() >= 126, "a half, but for rounding"
        assert guess.max() == pytest.approx(SURE * 255, abs=1)
        box = photo.people[0].box
        middle = np.s_[int(box.y1 + box.y2) // 2, int(box.x1 + box.x2) // 2]
        assert guess[middle] == guess.max()
        assert not guess[0, 0], "no box is there"


def test_other_people_count_as_foreground(boxed: list[Photo]) -> None:
    (photo,) = add_pseudo_labels(boxed[:1], runner(-2.0, other=3.0))
    _, identities, guess = photo.planes()
    assert not identities.any()
    assert (guess > 240).any()


def test_true_masks_are_kept(true: list[Photo], boxed: list[Photo]) -> None:
    first, *rest = true[1].people
    mixed = replace(true[1], people=(first, *(replace(person, rle=None) for person in rest)))
    outlined, untouched = add_pseudo_labels([mixed, true[0]], runner(0.5))
    assert untouched == true[0]
    assert untouched.guess is None
    assert outlined.people[0] == first
    assert (outlined.planes()[2][first.mask()] == 255).all()


def test_probabilities_are_augmented_with_the_image_and_reach_the_loss(true: list[Photo], guessed: list[Photo]) -> None:
    people = PersonDataset([true[0], guessed[1]], RECIPE)
    batch = collate([people[2], people[3]])
    assert batch.guess is not None
    where = target_coverage(batch, CANVAS)
    torch.testing.assert_close(where[0], (batch.identities[0] > 0).float(), msg="true outlines are sure")
    matrix = random_affine(np.random.default_rng((0, 3)), (HEIGHT, WIDTH), CANVAS, RECIPE.scales)
    np.testing.assert_array_equal(batch.guess[1, 0].numpy(), warp_linear(guessed[1].planes()[2], matrix, CANVAS))
    assert where.max() == 1
    assert where[1].max().item() == pytest.approx(SURE, abs=0.01)
    half = target_coverage(batch, (64, 80))
    assert half[1].mean().item() == pytest.approx(batch.guess[1].float().mean().item() / 255, abs=1e-6)
    # Drawn linearly, the other to the nearest pixel: they part by a pixel along outlines.
    apart = (batch.identities[1] > 0) != (batch.guess[1] > 127)
    assert apart.float().mean() < 0.03


def test_guessed_people_are_not_cut_out_and_pasted_ones_are_sure(true: list[Photo], guessed: list[Photo]) -> None:
    assert all(
        people[key].guess is not None
        for people in [PersonDataset(guessed, replace(RECIPE, paste=1.0))]
        for key in (0, 1)
    )
    mixed = PersonDataset([guessed[1], true[0]], replace(RECIPE, paste=1.0))
    newcomer = len(guessed[1].people) + 1
    pasted = [sample for sample in (mixed[key] for key in range(0, 20, 2)) if (sample.identities == newcomer).any()]
    assert pasted
    for sample in pasted:
        assert sample.guess is not None
        assert (sample.guess[sample.identities == newcomer] == 255).all()


def test_without_guesses_batches_have_none(true: list[Photo]) -> None:
    assert collate([PersonDataset(true, RECIPE)[key] for key in range(2)]).guess is None
