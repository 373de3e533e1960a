"""Figures of models whose worth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hiseg_training.data.coco import Photo
from hiseg_training.evaluation.scores import jittered_boxes, score_photos
from hiseg_training.evaluation.summary import markdown, summary
from hiseg_training.inference.runner import Runner


def test_a_perfect_model_scores_1(photos: list[Photo], oracle: Runner) -> None:
    found = summary(photos, score_photos(photos, oracle, batch=3))
    assert found["people"] == sum(len(photo.people) for photo in photos)
    assert set(found["at_mask_resolution"].values()) == {1.0}
    assert found["at_full_resolution"]["miou"]["all"] > 0.97
    assert found["at_full_resolution"]["boundary_iou"]["all"] > 0.9
    assert set(found["foreground"].values()) == {1.0}
    precision = found["coco_mask_ap_given_boxes"]
    assert precision["AP50"] == precision["AP75"] == pytest.approx(1)


def test_an_empty_prediction_scores_0(photos: list[Photo], blind: Runner) -> None:
    found = summary(photos, score_photos(photos, blind))
    assert found["at_mask_resolution"] == {"target_miou": 0, "detection_rate_0.5": 0, "detection_rate_0.7": 0}
    assert set(found["at_full_resolution"]["miou"].values()) == {0.0}
    assert found["foreground"]["person_iou"] == 0
    both = found["foreground"]["mean_of_background_and_person_iou"]
    assert both == pytest.approx(found["foreground"]["background_iou"] / 2)
    assert found["coco_mask_ap_given_boxes"]["AP"] == 0


def test_photos_with_people_left_out_count_for_masks_only(photos: list[Photo], oracle: Runner) -> None:
    some = [replace(photo, exhaustive=False) for photo in photos]
    found = summary(some, score_photos(some, oracle))
    assert found["at_full_resolution"]["miou"]["all"] > 0.97
    assert not {"foreground", "coco_mask_ap_given_boxes"} & set(found)


def test_batches_change_no_score(photos: list[Photo], oracle: Runner) -> None:
    assert score_photos(photos, oracle, batch=4) == score_photos(photos, oracle)


def test_loose_boxes_stay_in_the_photo_and_are_the_same_each_time(photos: list[Photo]) -> None:
    moved = jittered_boxes(photos, 0.5)
    assert moved == jittered_boxes(photos, 0.5)
    assert jittered_boxes(photos, 0.0) == [[person.box for person in photo.people] for photo in photos]
    for photo, boxes in zip(photos, moved, strict=True):
        for person, box in zip(photo.people, boxes, strict=True):
            assert not box.is_empty
            assert 0 <= box.x1 < box.x2 <= photo.width
            assert 0 <= box.y1 < box.y2 <= photo.height
            side = person.box.x2 - person.box.x1
            assert np.abs(box.x1 - person.box.x1) <= 0.5 * side


def test_the_table_has_a_column_for_each_model(photos: list[Photo], oracle: Runner, blind: Runner) -> None:
    runners = {"oracle": oracle, "blind": blind}
    reports = {name: {"true boxes": summary(photos, score_photos(photos, r))} for name, r in runners.items()}
    lines = markdown(reports).splitlines()
    assert lines[0] == "## True boxes, 8 people"
    assert "| target mIoU | 1.0000 | 0.0000 |" in lines
    assert "| background mIoU | 1.0000 | – |" in lines
