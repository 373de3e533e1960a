"""What is cached changes nothing but how often pictures are decoded."""

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
from hiseg_training.data.cache import Cache, Decoded
from hiseg_training.data.coco import Photo, read_annotations
from hiseg_training.data.dataset import AugmentConfig, PersonDataset, collate
from tests.training.engine.runs import assert_same

RECIPE = AugmentConfig(canvas=(96, 96), paste=1.0)
ONE = 120 * 160 * 4
"""Bytes of a drawn picture and its identities."""


@pytest.fixture(scope="module")
def photos(drawn: Path) -> list[Photo]:
    annotations = drawn / "annotations" / "instances_train2017_person_only_no_crowd.json"
    return read_annotations(annotations, drawn / "images" / "train2017")


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each picture was decoded."""
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
def test_samples_do_not_depend_on_the_cache(photos: list[Photo], budget: int) -> None:
    cached, poor = PersonDataset(photos, RECIPE), PersonDataset(photos, RECIPE, budget=budget)
    cached.preload()
    for key in reversed(range(24)):
        assert_same(cached[key], poor[key])


def test_samples_do_not_depend_on_the_processes(photos: list[Photo]) -> None:
    people = PersonDataset(photos, RECIPE)
    alone = [torch.cat([b.images.flatten(), b.rois.flatten()]) for b in _loader(people, workers=0)]
    shared = [torch.cat([b.images.flatten(), b.rois.flatten()]) for b in _loader(people, workers=2)]
    for a, b in zip(alone, shared, strict=True):
        assert torch.equal(a, b)


def _loader(people: PersonDataset, workers: int) -> DataLoader:
    return DataLoader(people, batch_size=2, collate_fn=collate, num_workers=workers)


def test_a_picture_is_decoded_once_however_many_people_it_has(photos: list[Photo], decodings: Counter[str]) -> None:
    people = PersonDataset(photos, RECIPE)
    for key in range(3 * len(photos)):
        people[key]
    assert decodings == {photo.path.name: 1 for photo in photos}


def test_without_room_a_picture_is_decoded_once_an_epoch(photos: list[Photo], decodings: Counter[str]) -> None:
    people = PersonDataset(photos, RECIPE, budget=0)
    epochs = 20
    for key in range(epochs * len(photos)):
        people[key]
    # Who is put in front of somebody is cut out once, and kept.
    cut_out = {photo.path.name: epochs + len(photo.people) for photo in photos}
    assert all(epochs <= decodings[name] <= most for name, most in cut_out.items())


def test_preloading_stops_at_the_budget(photos: list[Photo], decodings: Counter[str]) -> None:
    PersonDataset(photos, RECIPE, budget=3 * ONE).preload()
    assert sum(decodings.values()) == 4
