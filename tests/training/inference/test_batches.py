"""Batches change nothing but how many photos are looked at at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.harness.repository import REPOSITORY
from hiseg.core.canvas import Resize
from hiseg.core.image import Floats, Pixels
from hiseg.engines.contract import ModelError
from hiseg_training.data.coco import Photo, read_annotations
from hiseg_training.evaluation.scores import jittered_boxes
from hiseg_training.inference.batches import load_batches, predict_photos
from hiseg_training.inference.masks import foreground_probability, full_masks
from hiseg_training.inference.runner import ProviderMissing, Runner, open_onnx, open_runner


@pytest.fixture(scope="module")
def photos(drawn: Path) -> list[Photo]:
    annotations = drawn / "annotations" / "instances_train2017_person_only_no_crowd.json"
    return read_annotations(annotations, drawn / "images" / "train2017")


def echo(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
    """Says of each RoI what its row and its image are."""
    mean = images.mean(axis=(1, 2, 3)).astype(np.float32)
    rows = np.stack([rois[:, 1], rois[:, 2], mean[rois[:, 0].astype(int)]], axis=1)
    return rows[:, :, None, None], images[:, :1].astype(np.float32) / 255


@pytest.mark.parametrize("size", [2, 3, 8])
def test_every_photo_gets_its_own_answer(photos: list[Photo], size: int) -> None:
    runner = Runner(((96, 64), (64, 96)), Resize.LETTERBOX, echo)
    boxes = jittered_boxes(photos, 0.0)
    alone = {answer.index: answer for answer in predict_photos(photos, boxes, runner, 1)}
    together = {answer.index: answer for answer in predict_photos(photos, boxes, runner, size)}
    assert sorted(together) == sorted(alone) == list(range(len(photos)))
    for index, photo in enumerate(photos):
        assert len(together[index].masks) == len(photo.people)
        np.testing.assert_allclose(together[index].masks, alone[index].masks)
        seen, seen_alone = together[index].foreground, alone[index].foreground
        assert seen is not None
        assert seen_alone is not None
        np.testing.assert_array_equal(seen, seen_alone)
        np.testing.assert_array_equal(together[index].pixels, photo.pixels())
        assert seen.shape == (64, 85)


def test_batches_are_as_large_as_they_may_be(photos: list[Photo]) -> None:
    runner = Runner(((64, 96),), Resize.STRETCH, echo)
    assert [len(b.images) for b in load_batches(photos, jittered_boxes(photos, 0.0), runner, 3)] == [3, 3, 2]


def test_masks_may_cover_more_than_their_boxes(photos: list[Photo]) -> None:
    """Everywhere is the person: so masks are as large as what they cover, as far as there is photo."""

    def sure(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        return np.full((len(rois), 1, 8, 6), 1, np.float32), np.zeros((len(images), 1, 64, 96), np.float32)

    for crop_scale in (1.0, 1.5):
        runner = Runner(((64, 96),), Resize.LETTERBOX, sure, crop_scale=crop_scale)
        for answer in predict_photos(photos, jittered_boxes(photos, 0.0), runner, 4):
            photo = photos[answer.index]
            assert list(answer.boxes) == [person.box for person in photo.people]
            union = np.zeros((photo.height, photo.width), dtype=np.bool_)
            for (mask, _), box in zip(full_masks(answer), answer.boxes, strict=True):
                part = box.scaled(crop_scale).clipped(photo.width, photo.height)
                assert abs(mask.sum() - part.area) <= photo.width + photo.height
                union |= mask
            assert np.array_equal(foreground_probability(answer) > 127, union)


def test_a_provider_that_is_not_there_is_named() -> None:
    with pytest.raises(ProviderMissing, match=r"no ROCMExecutionProvider; it has .*CPUExecutionProvider"):
        open_onnx(REPOSITORY / "hiseg_b0" / "1" / "model.onnx", ["ROCMExecutionProvider"])


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        open_runner(tmp_path / "none.pth")


def test_a_file_that_is_no_checkpoint_of_ours_is_named(tmp_path: Path) -> None:
    path = tmp_path / "theirs.pth"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(ModelError, match=r"theirs\.pth is no checkpoint of this project's"):
        open_runner(path)
