"""Masks that are converted for other libraries come back unchanged: IoU 1.0. The libraries are the real ones."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from hiseg.client import Result
from hiseg.client.http import to_result
from hiseg.core.result import CropMask
from hiseg.masks.formats.rle import coco_rle

WIDTH, HEIGHT = 97, 61


def people() -> dict[str, Any]:
    """An answer over HTTP with masks that are easily got wrong: holes, borders, single pixels, nobody, no box."""
    random = np.random.default_rng(7)
    disc = np.hypot(*np.ogrid[-20:20, -15:15]) < 14
    ring = disc & (np.hypot(*np.ogrid[-20:20, -15:15]) > 6)
    cases = [
        ((10.0, 5.0, 40.0, 45.0), CropMask(10, 5, ring)),
        ((50.2, 7.9, 80.6, 47.1), CropMask(50, 7, random.random((41, 31)) < 0.6)),
        ((0.0, 0.0, 97.0, 61.0), CropMask(0, 0, np.ones((HEIGHT, WIDTH), np.bool_))),
        ((90.0, 55.0, 97.0, 61.0), CropMask(90, 55, np.ones((6, 7), np.bool_))),
        ((30.0, 30.0, 36.5, 38.5), CropMask(27, 25, random.random((20, 15)) < 0.5)),  # grown beyond its box
        ((3.0, 3.0, 4.0, 4.0), CropMask(3, 3, np.ones((1, 1), np.bool_))),
        ((20.0, 20.0, 30.0, 30.0), CropMask(20, 20, np.zeros((10, 10), np.bool_))),
        ((97.0, 61.0, 97.0, 61.0), CropMask.empty()),
    ]
    instances = [
        {
            "box": box,
            "score": 0.25 + 0.05 * index if mask.area else 0.0,
            "area": mask.area,
            "mask": {"format": "coco_rle", **coco_rle(mask, WIDTH, HEIGHT)},
        }
        for index, (box, mask) in enumerate(cases)
    ]
    return {
        "image": {"width": WIDTH, "height": HEIGHT, "notes": []},
        "model": {"name": "echo", "version": "1", "variant": "b0"},
        "instances": instances,
        "timings_ms": {},
    }


@pytest.fixture(scope="module")
def result() -> Result:
    return to_result(people())


@pytest.mark.parametrize("way", ["supervision", "fiftyone", "datumaro"])
def test_masks_come_back_as_they_were(way: str, result: Result, tools: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "answer.json").write_text(json.dumps(people()))
    # FiftyOne keeps its database, and asks the world whether there are news, unless told otherwise.
    variables = {
        "HOME": str(tmp_path),
        "FIFTYONE_DATABASE_DIR": str(tmp_path / "database"),
        "FIFTYONE_DATABASE_VALIDATION": "false",
        "FIFTYONE_DO_NOT_TRACK": "true",
    }
    tools("round_trip.py", way, tmp_path / "answer.json", tmp_path, tmp_path / "masks.npz", **variables)
    with np.load(tmp_path / "masks.npz") as back:
        for index, found in enumerate(result.instances):
            np.testing.assert_array_equal(back["masks"][index], found.mask, f"mask {index}")
        assert back["masks"].dtype == np.bool_
        np.testing.assert_allclose(back["scores"], [found.score for found in result.instances], rtol=1e-6)
        if way == "supervision":
            np.testing.assert_allclose(back["boxes"], [found.box for found in result.instances], rtol=1e-6)
        if way == "fiftyone":
            # Relative, and of whole pixels.
            np.testing.assert_allclose(back["boxes"][1] * (WIDTH, HEIGHT, WIDTH, HEIGHT), [50, 7, 31, 41], atol=1e-5)


def test_cocoeval_scores_our_own_masks_as_perfect(
    result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Evaluated against themselves."""
    rows = [row for row in result.to_coco(image_id=3) if row["score"]]
    truth = {
        "images": [{"id": 3, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": [
            {**row, "id": index, "iscrowd": 0, "area": found.area, "bbox": [0, 0, 1, 1]}
            for index, (row, found) in enumerate(
                zip(rows, (found for found in result.instances if found.area), strict=True), start=1
            )
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    (tmp_path / "results.json").write_text(json.dumps(rows))
    reference = COCO(str(tmp_path / "truth.json"))
    evaluation = COCOeval(reference, reference.loadRes(str(tmp_path / "results.json")), "segm")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("package", "method", "arguments"), [("fiftyone", "to_fiftyone", ()), ("datumaro", "to_datumaro", ("item",))]
)
def test_a_missing_package_is_named(
    result: Result, monkeypatch: pytest.MonkeyPatch, package: str, method: str, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"pip install {package}"):
        getattr(result, method)(*arguments)
