"""What is done to crops at random keeps labels, boxes and the person."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hiseg_training.config.model import BACKGROUND, OTHER, TARGET, UNKNOWN
from hiseg_training.crops.augment import LARGEST_TURN, CropAugment, add_pasted, random_turn, reduce_and_enlarge
from hiseg_training.crops.cut import Crop

SIZE = (64, 48)
ALWAYS = CropAugment(paste=1, things=1)


def crop(colour: int, seed: int = 0) -> Crop:
    """A person of one colour on black, part of somebody else, and pixels of whom nothing is known."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(SIZE, dtype=np.uint8)
    labels[5:30, 30:], labels[40:60, :20] = OTHER, UNKNOWN
    labels[14:50, 11 : 11 + int(rng.integers(8, 26))] = TARGET
    pixels = np.repeat(np.where(labels == TARGET, colour, 0).astype(np.uint8)[..., None], 3, axis=2)
    return Crop(
        pixels,
        labels,
        rng.uniform(0.2, 4, 2).astype(np.float32),
        np.array([11, 14, 37, 50], dtype=np.float32),
        np.array([-100, -100, 100, 100], dtype=np.float32),
        np.array([[30, 5, 60, 30]], dtype=np.float32),
    )


PEOPLE, THINGS = [crop(100, seed) for seed in range(3)], [crop(60, seed) for seed in range(3)]


@settings(max_examples=60)
@given(seed=st.integers(0, 2**32))
def test_at_least_two_fifths_of_a_person_stay_visible_and_what_is_pasted_is_labelled(seed: int) -> None:
    person = crop(200, seed % 5)
    before = person.labels.copy()
    pasted = add_pasted(np.random.default_rng(seed), person, ALWAYS, PEOPLE, THINGS)
    np.testing.assert_array_equal(person.labels, before, "the crop stays as it is")
    target = pasted.labels == TARGET
    assert np.count_nonzero(target) >= 0.4 * np.count_nonzero(before == TARGET)
    assert (before[target] == TARGET).all()
    new = (pasted.labels == OTHER) & (before != OTHER)
    if len(pasted.others) > 1:
        x1, y1, x2, y2 = pasted.others[-1].astype(int)
        assert not new[:y1].any()
        assert not new[y2:].any()
        assert not new[:, :x1].any()
        assert not new[:, x2:].any()
    else:
        assert not new.any()
    hidden = (before == TARGET) & (pasted.labels == BACKGROUND)
    assert not hidden.any() or pasted.pixels[hidden].mean() < 130


def test_somebody_and_something_are_pasted_now_and_then() -> None:
    people = things = 0
    for seed in range(40):
        person = crop(200, seed)
        pasted = add_pasted(np.random.default_rng(seed), person, ALWAYS, PEOPLE, THINGS)
        people += len(pasted.others) == 2
        things += bool(((person.labels == TARGET) & (pasted.labels == BACKGROUND)).any())
    assert people > 10
    assert things > 10


def test_without_sources_nothing_is_pasted() -> None:
    person = crop(200)
    assert add_pasted(np.random.default_rng(0), person, ALWAYS, None, []) is person
    none = CropAugment(paste=0, things=0)
    assert add_pasted(np.random.default_rng(0), person, none, PEOPLE, THINGS) is person


def test_turns_are_small_and_keep_the_photos_proportions() -> None:
    scale, flips = np.array([2, 3], dtype=np.float32), 0
    for seed in range(50):
        linear = random_turn(np.random.default_rng(seed), CropAugment(turn=30), scale) / scale
        np.testing.assert_allclose(linear @ linear.T, np.eye(2), atol=1e-6)
        assert linear[1, 1] >= np.cos(np.deg2rad(LARGEST_TURN)) - 1e-9
        flips += np.linalg.det(linear) < 0
    assert 10 < flips < 40
    np.testing.assert_array_equal(
        random_turn(np.random.default_rng(0), CropAugment(turn=0, flip=0), scale), np.diag(scale)
    )


def test_reducing_takes_the_detail_and_keeps_the_rest() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 48, 3), dtype=np.uint8)
    coarse = reduce_and_enlarge(np.random.default_rng(0), noise)
    assert coarse.shape == noise.shape
    assert coarse.std() < 0.8 * noise.std()
    assert abs(coarse.mean() - noise.mean()) < 3
