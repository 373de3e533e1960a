"""Samples made of photographs, and what is kept of decoded ones."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from hiseg.core.image import Pixels
from hiseg_training.data.coco import Photo, read_annotations, read_split
from hiseg_training.data.dataset import CCP, AugmentConfig, Cache, Decoded, EpochSampler, PersonDataset, collate
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


RECIPE = AugmentConfig(canvas=(96, 96), paste=1.0)
ONE = 120 * 160 * 4
"""Bytes of a drawn image and its identities."""


@pytest.fixture(scope="module")
def drawn_photos(drawn: Path) -> list[Photo]:
    annotations = drawn / "annotations" / "instances_train2017_person_only_no_crowd.json"
    return read_annotations(annotations, drawn / "images" / "train2017")


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each image was decoded."""
    counted: Counter[str] = Counter()
    decode = Photo.pixels

    def pixels(photo: Photo) -> Pixels:
        counted[photo.path.name] += 1
        return decode(photo)

    monkeypatch.setattr(Photo, "pixels", pixels)
    return counted


@given(sizes=st.lists(st.integers(1, 50), max_size=12), budget=st.integers(0, 200), keys=st.lists(st.integers(0, 11)))
def test_what_comes_out_is_what_was_made_and_the_budget_holds(sizes: list[int], budget: int, keys: list[int]) -> None:
    cache = Cache(budget)

    def make(key: int) -> Decoded:
        return np.full(sizes[key], key, dtype=np.uint8), np.zeros(0, dtype=np.uint8)

    for key in keys:
        if key < len(sizes):
            found, _ = cache.get(key, lambda key=key: make(key))  # type: ignore[misc]
            assert found.tolist() == [key] * sizes[key]
            assert cache.held <= budget


@pytest.mark.parametrize("budget", [0, 3 * ONE])
def test_samples_do_not_depend_on_the_cache(drawn_photos: list[Photo], budget: int) -> None:
    cached, poor = PersonDataset(drawn_photos, RECIPE), PersonDataset(drawn_photos, RECIPE, budget=budget)
    cached.preload()
    for key in reversed(range(24)):
        assert_same(cached[key], poor[key])


def test_samples_do_not_depend_on_the_processes(drawn_photos: list[Photo]) -> None:
    people = PersonDataset(drawn_photos, RECIPE)
    alone = [torch.cat([b.images.flatten(), b.rois.flatten()]) for b in _loader(people, workers=0)]
    shared = [torch.cat([b.images.flatten(), b.rois.flatten()]) for b in _loader(people, workers=2)]
    for a, b in zip(alone, shared, strict=True):
        assert torch.equal(a, b)


def _loader(people: PersonDataset, workers: int) -> DataLoader:
    return DataLoader(people, batch_size=2, collate_fn=collate, num_workers=workers)


def test_an_image_is_decoded_once_however_many_people_it_has(
    drawn_photos: list[Photo], decodings: Counter[str]
) -> None:
    people = PersonDataset(drawn_photos, RECIPE)
    for key in range(3 * len(drawn_photos)):
        people[key]
    assert decodings == {photo.path.name: 1 for photo in drawn_photos}


def test_without_room_an_image_is_decoded_once_an_epoch(drawn_photos: list[Photo], decodings: Counter[str]) -> None:
    people = PersonDataset(drawn_photos, RECIPE, budget=0)
    epochs = 20
    for key in range(epochs * len(drawn_photos)):
        people[key]
    # Who is put in front of somebody is cut out once, and kept.
    cut_out = {photo.path.name: epochs + len(photo.people) for photo in drawn_photos}
    assert all(epochs <= decodings[name] <= most for name, most in cut_out.items())


def test_preloading_stops_at_the_budget(drawn_photos: list[Photo], decodings: Counter[str]) -> None:
    PersonDataset(drawn_photos, RECIPE, budget=3 * ONE).preload()
    assert sum(decodings.values()) == 4
