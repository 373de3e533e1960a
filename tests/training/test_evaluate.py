"""Scores, against cases whose answer is known, and the published model's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from service.domain import Box
from tests.conftest import REPOSITORY
from training.baselines import BASELINES, GRID, ellipse, grabcut
from training.data.coco import read_split
from training.evaluate import _covered, evaluate, iou
from training.publish import JITTER, predictor

MODEL = REPOSITORY / "hiseg_b0"


def test_iou() -> None:
    a = np.array([True, True, False, False])
    assert iou(a, a) == 1
    assert iou(a, ~a) == 0
    assert iou(a, np.array([True, False, True, False])) == pytest.approx(1 / 3)
    assert iou(~a & a, ~a & a) == 1


def test_covered() -> None:
    box = Box(0, 0, 10, 10)
    assert _covered(box, []) == 0
    assert _covered(box, [Box(5, 0, 20, 10), Box(5, 5, 20, 20)]) == pytest.approx(0.5)


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
    reported = json.loads((MODEL / "metrics.json").read_text())["quality"]["val"]["baselines"]
    for name in ("whole box", "ellipse"):
        assert evaluate(photos, BASELINES[name]).summary()["all"] == pytest.approx(reported[name], abs=1e-3)


@pytest.mark.parametrize("split", ["val", "ood"])
def test_the_published_model_is_as_good_as_its_card_says(data: Path, split: str) -> None:
    found = evaluate(read_split(data, split), predictor(MODEL / "1" / "model.onnx")).summary()
    reported = json.loads((MODEL / "metrics.json").read_text())["quality"][split]["ground truth boxes"]
    assert found == pytest.approx(reported, abs=2e-3)
    if split == "val":
        assert found["all"] >= 0.75


def test_loose_boxes_cost_what_the_card_says(data: Path) -> None:
    found = evaluate(read_split(data, "val"), predictor(MODEL / "1" / "model.onnx"), JITTER).summary()
    reported = json.loads((MODEL / "metrics.json").read_text())["quality"]["val"]["boxes jittered by 10%"]
    assert found["all"] == pytest.approx(reported["all"], abs=2e-3)
