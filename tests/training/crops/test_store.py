"""Stored crops come back as they were cut, to every process, and never those of other photos."""

from __future__ import annotations

import os
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from hiseg_training.crops import store
from hiseg_training.crops.cut import Crop, cut_photo
from hiseg_training.crops.store import DAY, KEPT_DAYS, CropStore, open_store
from hiseg_training.data.coco import Photo
from tests.training.crops.photos import ground, person, photo, rectangle

SIZE = (32, 24)
LEFT, RIGHT = rectangle(10, 20, 60, 100), rectangle(50, 30, 100, 90)


@pytest.fixture
def photos(tmp_path: Path) -> list[Photo]:
    several = photo(tmp_path / "a.png", ground(), person(LEFT), person(RIGHT), person(rectangle(90, 0, 150, 60)))
    return [several, photo(tmp_path / "b.png", ground() + 90, person(LEFT), source="elsewhere")]


def assert_same(a: Crop, b: Crop) -> None:
    for one, other in zip(a, b, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_crops_come_back_as_they_were_cut_in_other_processes_too(photos: list[Photo], tmp_path: Path) -> None:
    kept = open_store(photos, tmp_path / "crops", SIZE)
    copy = pickle.loads(pickle.dumps(kept))
    assert len(pickle.dumps(kept)) < 1000, "not the pixels"
    expected = [crop for each in photos for crop in cut_photo(each, SIZE)]
    assert len(kept) == len(copy) == len(expected) == 4
    for index, crop in enumerate(expected):
        assert_same(kept[index], crop)
        assert_same(copy[index], crop)
    assert kept.sources.tolist() == ["drawn"] * 3 + ["elsewhere"]
    assert kept.true.all()
    np.testing.assert_allclose(kept.areas, [4000, 3000, 3600, 4000], rtol=0.1)


def test_what_was_cut_is_not_cut_again(photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_store(photos, tmp_path / "crops", SIZE)
    monkeypatch.setattr(store, "cut_photo", lambda *arguments: pytest.fail("cut again"))
    assert open_store(photos, tmp_path / "crops", SIZE).folder == first.folder


def test_changed_photos_outlines_and_settings_make_other_crops(photos: list[Photo], tmp_path: Path) -> None:
    first, folder = photos[0], tmp_path / "crops"
    found = {open_store(photos, folder, SIZE).folder, open_store(photos[:1], folder, SIZE).folder}
    found.add(open_store(photos, folder, SIZE, annotated=True).folder)
    found.add(open_store(photos, folder, (16, 12)).folder)
    found.add(open_store([replace(first, people=first.people[:2])], folder, SIZE).folder)
    times = first.path.stat()
    cv2.imwrite(str(first.path), ground()[::-1])
    os.utime(first.path, ns=(times.st_atime_ns, times.st_mtime_ns))
    found.add(open_store(photos, folder, SIZE).folder)
    assert len(found) == 6


def test_processes_that_ask_at_once_wait_for_one_of_them(photos: list[Photo], tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: open_store(photos, tmp_path / "crops", SIZE).folder, range(4)))
    assert len(set(found)) == 1
    assert {path.suffix for path in (tmp_path / "crops").iterdir()} == {"", ".lock"}


def test_an_error_leaves_nothing_behind(photos: list[Photo], tmp_path: Path) -> None:
    tiny = replace(photos[0], people=(person(rectangle(0, 0, 3, 3)),))
    with pytest.raises(ValueError, match="large enough to learn from"):
        open_store([tiny], tmp_path / "crops", SIZE)
    assert not [path for path in (tmp_path / "crops").iterdir() if path.is_dir()]


def test_no_more_is_cut_than_the_disk_has_room_for(
    photos: list[Photo], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: SimpleNamespace(free=5000))
    with pytest.raises(ValueError, match="the crops of 4 people take"):
        open_store(photos, tmp_path / "crops", SIZE)


def test_old_crops_are_deleted_and_nothing_else(photos: list[Photo], tmp_path: Path) -> None:
    folder = tmp_path / "crops"
    old, used = open_store(photos, folder, SIZE), open_store(photos[:1], folder, SIZE)
    (folder / "notes").mkdir()
    long_ago = time.time() - (KEPT_DAYS + 1) * DAY
    for path in (old.folder, used.folder, folder / "notes"):
        os.utime(path, (long_ago, long_ago))
    open_store(photos[:1], folder, SIZE)  # is used again
    open_store(photos[1:], folder, SIZE)  # makes room
    assert not old.folder.exists()
    assert used.folder.exists()
    assert (folder / "notes").exists()
    assert len(CropStore(used.folder)) == 3
