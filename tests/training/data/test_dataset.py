"""Samples made of real photographs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from hiseg_training.data.coco import Photo, read_split
from hiseg_training.data.dataset import CCP, AugmentConfig, EpochSampler, PersonDataset, collate
from hiseg_training.data.eval_dataset import EvalDataset
from tests.training.engine.runs import assert_same


@pytest.fixture(scope="module")
def photos(data: Path) -> list[Photo]:
    return read_split(data, "train")


def test_the_split_is_what_the_card_says(photos: list[Photo]) -> None:
    sources = Counter(photo.source for photo in photos)
    assert sources == {"COCO 2017": 1351, CCP: 226}
    assert sum(len(photo.people) for photo in photos) == 3876


def test_masks_lie_in_their_boxes(photos: list[Photo]) -> None:
    for photo in photos[:40]:
        for person in photo.people:
            rows, columns = np.nonzero(person.mask())
            assert columns.min() >= person.box.x1 - 1.5
            assert columns.max() <= person.box.x2 + 1.5
            assert rows.min() >= person.box.y1 - 1.5
            assert rows.max() <= person.box.y2 + 1.5


def test_samples_are_reproducible_and_consistent(photos: list[Photo]) -> None:
    people = PersonDataset(photos[:20], AugmentConfig(canvas=(320, 320)))
    for key in range(40):
        first, again = people[key], people[key]
        assert_same(first, again)
        assert first.image.shape == (3, 320, 320)
        assert ((first.rois >= 0) & (first.rois <= 1)).all()
        for target in first.targets:
            assert (first.identities == target).any()


def test_without_augmentation_samples_are_what_is_measured(photos: list[Photo]) -> None:
    """At each draw the same, but for whom of a crowd it is about."""
    people, views = (
        PersonDataset(photos[:3], AugmentConfig(canvas=(160, 192), augment=False)),
        EvalDataset(photos[:3], (160, 192)),
    )
    for key in range(9):
        sample, view = people[key], views[key % 3]
        np.testing.assert_array_equal(sample.image, view.image)
        np.testing.assert_array_equal(sample.identities, view.identities)
        for roi, target in zip(sample.rois, sample.targets, strict=True):
            theirs = view.rois[view.targets.tolist().index(int(target))]
            np.testing.assert_allclose(roi, theirs, atol=1.5 / 160)


def test_collate_numbers_the_canvases(photos: list[Photo]) -> None:
    people = PersonDataset(photos[:6], AugmentConfig(canvas=(320, 320)))
    samples = [people[key] for key in range(6)]
    batch = collate(samples)
    assert batch.images.shape == (6, 3, 320, 320)
    assert batch.rois[:, 0].tolist() == [float(i) for i, s in enumerate(samples) for _ in s.rois]
    assert len(batch.targets) == len(batch.rois)


def test_an_epoch_sees_crowds_more_often_and_ccp_less(photos: list[Photo]) -> None:
    people = PersonDataset(photos, AugmentConfig())
    sampler = EpochSampler(people)
    first, second = list(sampler), list(sampler)
    assert not set(first) & set(second), "each draw has its own randomness"
    drawn = Counter(key % len(photos) for key in first)
    ccp = [drawn[i] for i, photo in enumerate(photos) if photo.source == CCP]
    crowds = [drawn[i] for i, photo in enumerate(photos) if len(photo.people) > 8]
    assert np.mean(ccp) == pytest.approx(0.4, abs=0.15)
    assert np.mean(crowds) >= 2


def test_every_epoch_is_as_long_as_it_says_and_draws_nothing_twice(photos: list[Photo]) -> None:
    sampler = EpochSampler(PersonDataset(photos, AugmentConfig(ccp=0.5)))
    epochs = [list(sampler) for _ in range(8)]
    assert {len(epoch) for epoch in epochs} == {len(sampler)}
    assert len({key for epoch in epochs for key in epoch}) == 8 * len(sampler)
