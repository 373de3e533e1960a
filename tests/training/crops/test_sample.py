"""Samples of crops, whatever is done to them, say where the person, their box and others' boxes are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.config.model import OTHER, TARGET, TYPICAL_ASPECT
from hiseg_training.crops.augment import CropAugment
from hiseg_training.crops.cut import cut_photo
from hiseg_training.crops.sample import augmented_sample, plain_sample
from hiseg_training.models.roi import box_aspect, box_channels, enlarge, roi_align
from tests.training.crops.photos import person, photo, rectangle
from tests.training.crops.test_augment import PEOPLE, THINGS, crop

SIZE, CONTEXT = (48, 36), 1.2
OWN = np.s_[4:44, 3:33]
EXACT = CropAugment(paste=0, things=0, turn=0, flip=0, loose=0, twin=0, alone=0, colour=0, reduced=0)


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.0, 0.5, 1.0]))
def test_samples_are_consistent(seed: int, share: float) -> None:
    config = CropAugment(share, share, 6, share, share, 0.12, share, share / 2, 1.0, share)
    somebody = crop(200, seed % 7)
    sample = augmented_sample(np.random.default_rng(seed), somebody, SIZE, CONTEXT, config, PEOPLE, THINGS)
    assert sample.pixels.shape == (*SIZE, 3)
    assert sample.labels.shape == SIZE
    assert sample.labels.max() <= 3
    assert (sample.labels == TARGET).any()
    assert sample.boxes.shape == (2, *SIZE)
    assert sample.boxes.max() == 1
    # A crop is its box and the context, however loose the box.
    assert sample.boxes[0].sum() == sample.boxes[0][OWN].sum() == 40 * 30
    assert abs(sample.aspect) < 5
    assert {plane.dtype for plane in (sample.pixels, sample.boxes, sample.labels)} == {np.dtype(np.uint8)}


def test_without_any_augmentation_a_sample_is_the_plain_one() -> None:
    somebody = crop(200, 3)
    tight = somebody._replace(
        box=np.array([11, 14, np.nonzero(somebody.labels == TARGET)[1].max() + 1, 50], np.float32)
    )
    plain = plain_sample(tight, SIZE, CONTEXT)
    for one, other in zip(augmented_sample(np.random.default_rng(0), tight, SIZE, CONTEXT, EXACT), plain, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)
    assert (plain.labels == TARGET)[OWN].mean() > 0.9
    assert (plain.labels == TARGET).sum() == pytest.approx(40 * 30, rel=0.05)
    width, height = (tight.box[2:] - tight.box[:2]) * tight.scale
    assert plain.aspect == pytest.approx(np.log(height / width) - TYPICAL_ASPECT, abs=1e-5)
    # Others' boxes where others are.
    assert plain.boxes[1][plain.labels == OTHER].all()
    assert 0 < plain.boxes[1].mean() < 0.5


def test_a_plain_sample_is_what_the_model_cuts_out_of_a_canvas(tmp_path: Path) -> None:
    pixels = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (120, 160, 3), dtype=np.uint8), (0, 0), 3)
    people = [person(rectangle(*each)) for each in ((20, 10, 75, 100), (60, 30, 130, 110))]
    rois = torch.tensor([[0.0, *(np.array(each.box.as_tuple()) / [160, 120, 160, 120])] for each in people]).float()
    canvas = torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
    regions = enlarge(rois, CONTEXT)
    expected, maps = roi_align(canvas, regions, SIZE), box_channels(rois, regions, SIZE)
    for index, each in enumerate(cut_photo(photo(tmp_path / "a.png", pixels, *people), annotated=True)):
        sample = plain_sample(each, SIZE, CONTEXT)
        inside = (expected[index] > 0).all(0).numpy()
        difference = np.abs(sample.pixels - expected[index].permute(1, 2, 0).numpy())[inside]
        assert difference.mean() < 4
        assert np.mean(sample.boxes != maps[index].numpy()) < 0.03, "edges between two pixels"
        assert sample.aspect == pytest.approx(float(box_aspect(rois, (120, 160))[index]), abs=1e-3)


def test_others_are_not_told_of_at_times_and_a_second_box_of_the_same_person_only_where_it_differs() -> None:
    somebody = crop(200)._replace(others=np.zeros((0, 4), dtype=np.float32))
    config = CropAugment(0, 0, 0, 0, 0, twin=1, alone=0)
    shares = [
        augmented_sample(np.random.default_rng(seed), somebody, SIZE, CONTEXT, config).boxes[1].mean()
        for seed in range(40)
    ]
    told = sum(share > 0 for share in shares)
    assert 5 < told < 35, "as a model is told of it: where the boxes overlap by less than 0.7"
    for seed in range(5):
        quiet = augmented_sample(np.random.default_rng(seed), crop(200), SIZE, CONTEXT, CropAugment(alone=1), PEOPLE)
        assert not quiet.boxes[1].any()


def test_loose_boxes_stay_in_the_photo() -> None:
    """Callers' boxes are clipped to it, so that nothing outside of it is in a box."""
    somebody = crop(200)
    framed = somebody._replace(frame=np.concatenate([somebody.box[:2], [100, 100]]).astype(np.float32))
    framed.pixels[:] = 255
    framed.pixels[:14], framed.pixels[:, :11] = 0, 0
    config = CropAugment(0, 0, 0, 0, loose=1, jitter=0.12, colour=0, reduced=0)
    for seed in range(20):
        sample = augmented_sample(np.random.default_rng(seed), framed, SIZE, CONTEXT, config)
        assert sample.pixels[sample.boxes[0] > 0].mean() > 245
