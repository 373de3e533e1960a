"""Counts over a data set, against slow ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.box import Box
from hiseg_training.data.coco import Photo, read_people
from hiseg_training.data.person import Person
from hiseg_training.data.statistics import BOOST, separation_weights, statistics, statistics_table
from tests.training.drawing import annotation


def photo(*boxes: tuple[int, int, int, int]) -> Photo:
    """40 x 30, with people who fill their boxes; later ones don't hide earlier ones."""
    people = []
    for x1, y1, x2, y2 in boxes:
        mask = np.zeros((30, 40), dtype=np.bool_)
        mask[y1:y2, x1:x2] = True
        people.append(Person(Box(x1, y1, x2, y2), float(mask.sum()), annotation(1, 1, mask)["segmentation"]))
    return Photo(Path("none.jpg"), 40, 30, "drawn", True, tuple(people))


def test_pixels_of_each_class() -> None:
    found = statistics([photo((0, 0, 10, 10), (5, 0, 15, 10))])
    # Padded by a tenth, in whole pixels, and cut off by the image.
    padded = [np.zeros((30, 40), dtype=np.bool_) for _ in range(2)]
    padded[0][0:11, 0:11] = True
    padded[1][0:11, 4:16] = True
    masks = [np.zeros((30, 40), dtype=np.bool_) for _ in range(2)]
    masks[0][0:10, 0:10] = True
    masks[1][0:10, 5:15] = True
    target = sum(int((roi & own).sum()) for roi, own in zip(padded, masks, strict=True))
    other = sum(int((roi & ~own & them).sum()) for roi, own, them in zip(padded, masks, masks[::-1], strict=True))
    every = sum(int(roi.sum()) for roi in padded)
    assert found["pixel_counts"] == {"background": every - target - other, "target": target, "non_target": other}


def test_overlaps_and_sizes() -> None:
    found = statistics([photo((0, 0, 10, 10), (5, 0, 15, 10)), photo((20, 5, 30, 25))])
    assert (found["total_images"], found["total_instances"], found["images_with_multiple_instances"]) == (2, 3, 1)
    assert found["instance_count_distribution"] == {"1": 1, "2": 1}
    assert found["overlap_stats"]["images_with_overlaps"] == 1
    assert found["overlap_stats"]["total_overlapping_pairs"] == 1
    assert found["overlap_stats"]["avg_iou"] == pytest.approx(1 / 3)
    assert found["roi_stats"]["avg_instances_per_roi"] == pytest.approx(5 / 3)
    assert found["roi_stats"]["height"]["mean"] == pytest.approx(40 / 3)
    assert found["image_foreground_ratio"]["mean"] == pytest.approx((150 + 200) / 2 / 1200)


def test_weights_follow_from_the_shares(drawn: Path) -> None:
    photos = read_people(drawn / "annotations" / "instances_train2017_person_only_no_crowd.json", Path())
    found = statistics(photos)
    ratios = found["pixel_ratios"]
    assert sum(ratios.values()) == pytest.approx(1)
    weights = separation_weights(ratios["background"], ratios["target"], ratios["non_target"])
    assert list(found["separation_aware_weights"].values()) == pytest.approx(weights)
    assert f"{found['total_instances']}, " in statistics_table(found)


def test_statistics_without_people_are_refused() -> None:
    with pytest.raises(ValueError, match="no people"):
        statistics([])


COCO_TRAIN = (0.48647, 0.36598, 0.14756)
"""Shares of background, target and other people in the RoIs of COCO train2017, padded by 10 %, of which upstream's
weights come. (Its text has 53.8, 33.3 and 12.9 %, which are of other RoIs and give other weights.)"""
SHARES = st.floats(0.01, 1)


def test_upstreams_weights() -> None:
    assert separation_weights(*COCO_TRAIN) == pytest.approx((0.538, 0.750, 1.712), abs=5e-4)


@given(SHARES, SHARES, SHARES)
def test_what_holds_for_any_shares(background: float, target: float, other: float) -> None:
    found = separation_weights(background, target, other)
    assert sum(found) == pytest.approx(3)
    assert min(found) > 0
    assert separation_weights(7 * background, 7 * target, 7 * other) == pytest.approx(found)
    assert (found.background >= found.target) == (background <= target)
    assert (found.other / BOOST >= found.target - 1e-12) == (other <= target) or other == pytest.approx(target)


@pytest.mark.parametrize("shares", [(1, 0, 0), (-0.1, 0.6, 0.5), (0, 0, 0)])
def test_invalid_shares_are_refused(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="shares"):
        separation_weights(*shares)
