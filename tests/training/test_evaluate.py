"""Scores, against cases whose answer is known, and the published model's."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import REPOSITORY
from training.baselines import BASELINES, GRID, ellipse, grabcut
from training.data.coco import read_split
from training.evaluate import evaluate
from training.publish import JITTER, runner_of

MODEL = REPOSITORY / "hiseg_b0"


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
    """On a tenth of the photos: their mean must lie within three standard errors of the whole's."""
    photos = read_split(data, split)[::10]
    runner = runner_of(MODEL / "1" / "model.onnx")
    reported = json.loads((MODEL / "metrics.json").read_text())["quality"][split]
    found = evaluate(photos, runner)
    ious = np.array([person.iou for person in found.people])
    error = 3 * ious.std() / np.sqrt(len(ious))
    assert error < 0.11
    assert ious.mean() == pytest.approx(reported["ground truth boxes"]["all"], abs=error)
    if split == "val":
        loose = evaluate(photos, runner, JITTER).summary()
        cost = found.summary()["all"] - loose["all"]
        told = reported["ground truth boxes"]["all"] - reported["boxes jittered by 10%"]["all"]
        assert cost == pytest.approx(told, abs=0.02)
