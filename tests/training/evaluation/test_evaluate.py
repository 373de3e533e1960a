"""Scores, against cases whose answer is known, and the published model's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.paths import PUBLISHED
from hiseg.core.image import BoolMask, Floats, Pixels
from hiseg.engines.base import Outputs
from hiseg.models.repository import StoredModel, stored_models
from hiseg_training.data.coco import Photo, read_annotations, read_split
from hiseg_training.evaluation.baselines import BASELINES, GRID, ellipse, grabcut
from hiseg_training.evaluation.evaluate import JITTER, evaluate, foreground_without_boxes
from hiseg_training.evaluation.iou import iou
from hiseg_training.export.measure import NO_BOXES, open_cpu_runner
from hiseg_training.inference.runner import function_runner

MODELS = stored_models(PUBLISHED)


def reported(model: StoredModel, split: str) -> Any:
    """The quality that stands beside the file."""
    return json.loads((model.path.parent / "metrics.json").read_text())["quality"][split]


def test_ellipse_touches_the_box() -> None:
    masks, _ = ellipse(np.zeros((1, 3, 8, 8), dtype=np.uint8), np.zeros((2, 5), dtype=np.float32))
    assert masks.shape == (2, 1, *GRID)
    assert masks.mean() == pytest.approx(np.pi / 4, abs=0.01)


def test_grabcut_finds_a_bright_person_on_black() -> None:
    image = np.zeros((1, 3, 100, 100), dtype=np.uint8)
    image[:, :, 30:70, 40:60] = 220
    masks, _ = grabcut(image, np.array([[0, 0.25, 0.2, 0.75, 0.8]], dtype=np.float32))
    inner = masks[0, 0][int(128 * 0.25) : int(128 * 0.75), int(96 * 0.4) : int(96 * 0.6)]
    assert inner.mean() > 0.9
    assert masks.mean() < 0.4


def test_baselines_are_those_reported(data: Path) -> None:
    photos = read_split(data, "val")
    told = next(found for model in MODELS if (found := reported(model, "val").get("baselines")))
    for name in ("whole box", "ellipse"):
        assert evaluate(photos, BASELINES[name]).summary()["all"] == pytest.approx(told[name], abs=1e-3)


@pytest.mark.parametrize("split", ["val", "ood"])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_published_model_is_as_good_as_its_card_says(data: Path, model: StoredModel, split: str) -> None:
    """On a tenth of the photos: their mean must lie within three standard errors of the whole's."""
    photos = read_split(data, split)[::10]
    runner, told = open_cpu_runner(model.path), reported(model, split)
    if not runner.has_masks:
        anybody = foreground_without_boxes(photos, runner)
        assert anybody is None or anybody == pytest.approx(told["ground truth boxes"][NO_BOXES], abs=0.11)
        return
    found = evaluate(photos, runner)
    ious = np.array([person.iou for person in found.people])
    error = 3 * ious.std() / np.sqrt(len(ious))
    assert error < 0.11
    assert ious.mean() == pytest.approx(told["ground truth boxes"]["all"], abs=error)
    if split == "val":
        loose = evaluate(photos, runner, JITTER).summary()
        cost = found.summary()["all"] - loose["all"]
        expected = told["ground truth boxes"]["all"] - told["boxes jittered by 10%"]["all"]
        assert cost == pytest.approx(expected, abs=0.03)


def test_the_foreground_alone_is_asked_for_without_boxes(drawn: Path) -> None:
    """Stands for a model that knows of nobody but those that it is told of."""

    def told(images: Pixels, rois: Floats) -> tuple[Floats, Floats]:
        seen = float(len(rois) > 0)
        return np.ones((len(rois), 1, 8, 6), np.float32), np.full((len(images), 1, *images.shape[2:]), seen, np.float32)

    annotations = drawn / "annotations" / "instances_val2017_person_only_no_crowd.json"
    photos = read_annotations(annotations, drawn / "images" / "val2017")
    assert foreground_without_boxes(photos, function_runner(told)) == 0
    assert foreground_without_boxes(photos, function_runner(told, outputs=Outputs.MASKS)) is None
    assert max(evaluate(photos, function_runner(told)).foreground) > 0


def test_a_model_of_masks_alone_finds_everybody_in_the_union_of_its_masks(drawn: Path) -> None:
    def told(images: Pixels, rois: Floats) -> tuple[Floats, None]:
        return np.ones((len(rois), 1, 8, 6), np.float32), None

    photos = read_annotations(
        drawn / "annotations" / "instances_val2017_person_only_no_crowd.json", drawn / "images" / "val2017"
    )
    found = evaluate(photos, function_runner(told, outputs=Outputs.MASKS))
    anybody = [iou(np.logical_or.reduce(boxes), truth) for boxes, truth in map(boxes_and_people, photos)]
    assert found.foreground == pytest.approx(anybody, abs=0.02)


def boxes_and_people(photo: Photo) -> tuple[list[BoolMask], BoolMask]:
    """Each person's box drawn, and all people."""
    drawn = []
    for person in photo.people:
        x1, y1, x2, y2 = (round(side) for side in person.box.as_tuple())
        box = np.zeros((photo.height, photo.width), dtype=np.bool_)
        box[y1:y2, x1:x2] = True
        drawn.append(box)
    return drawn, np.logical_or.reduce([person.mask() for person in photo.people])
