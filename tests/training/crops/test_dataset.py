"""Draws of stored crops: the same in every process, at any size, and who is measured on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from hiseg.core.image import Pixels
from hiseg_training.crops.augment import CropAugment
from hiseg_training.crops.batch import CropBatch, collate
from hiseg_training.crops.dataset import CropDataset, Draw, PlainCrops, draw_weights, fixed_people
from hiseg_training.crops.store import CropStore, open_store
from hiseg_training.data.dataset import CCP
from tests.training.crops.photos import HEIGHT, WIDTH, ground, person, photo, rectangle

LEFT, RIGHT = person(rectangle(10, 20, 70, 100)), person(rectangle(60, 30, 150, 90))
BOX = person(rectangle(60, 30, 150, 90), outlined=False)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> CropStore:
    """Two people of one photo, one beside a box, one of the clothing photos, and one whom a model has outlined."""
    path = tmp_path_factory.mktemp("photos")
    guess: Pixels = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    photos = [
        photo(path / "a.png", ground(), LEFT, RIGHT),
        photo(path / "b.png", ground() + 50, LEFT, BOX),
        photo(path / "c.png", ground() + 90, LEFT, source=CCP),
        photo(path / "d.png", ground() + 20, LEFT, guess=guess),
    ]
    return open_store(photos, path / "crops", (64, 48))


def test_a_draw_is_the_same_whichever_process_makes_it(store: CropStore) -> None:
    people = CropDataset(store, CropAugment(paste=1, things=1), 1.2, seed=3, things=store)
    draws = [[Draw(number % 5, number, size) for number in range(4 * k, 4 * k + 4)] for k, size in enumerate(SIZES)]
    batches: list[list[CropBatch]] = [
        list(DataLoader(people, batch_sampler=draws, collate_fn=collate, num_workers=workers)) for workers in (0, 2)
    ]
    for alone, shared, size in zip(*batches, SIZES, strict=True):
        assert alone.pixels.shape == (4, 3, *size)
        for a, b in zip(alone, shared, strict=True):
            assert torch.equal(a, b)
    first, other = people[Draw(0, 0, SIZES[0])], people[Draw(0, 1, SIZES[0])]
    assert (first.pixels != other.pixels).any(), "draws differ"


SIZES = ((64, 48), (48, 36))


def test_without_augmentation_draws_are_plain(store: CropStore) -> None:
    people, plain = CropDataset(store, None, 1.2), PlainCrops(store, (32, 24), 1.2, [3, 1])
    assert len(plain) == 2
    assert len(PlainCrops(store, (32, 24), 1.2)) == len(people) == 5
    for index, who in enumerate((3, 1)):
        for a, b in zip(people[Draw(who, 9, (32, 24))], plain[index], strict=True):
            np.testing.assert_array_equal(a, b)


def test_near_identical_photos_are_drawn_less_often(store: CropStore) -> None:
    assert draw_weights(store, 0.4).tolist() == [1, 1, 1, 0.4, 1]


def test_those_who_are_measured_on_are_known_and_always_the_same(store: CropStore) -> None:
    assert store.true.tolist() == [True, True, True, True, False]
    assert store.complete.tolist() == [True, True, False, True, True]
    assert fixed_people(store, 10) == [0, 1, 3]
    assert fixed_people(store, 2) == fixed_people(store, 2)
    assert len(fixed_people(store, 2)) == 2
