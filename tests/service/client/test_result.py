"""Masks of a result can be read, drawn and converted for other libraries."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from hiseg.client import Instance, Result
from hiseg.core import extras
from hiseg.core import result as core_result
from hiseg.core.box import Box
from hiseg.core.extras import ExtraMissing, install_command
from hiseg.core.result import CropMask, ModelRef
from hiseg.masks.formats.overlay import overlay
from hiseg.masks.formats.rle import coco_rle

WIDTH, HEIGHT = 30, 20
MODEL = ModelRef("echo", "1", "b0")


def instance(crop: CropMask, box: tuple[float, float, float, float], score: float = 0.5) -> Instance:
    return Instance(box, score, crop.area, coco_rle(crop, WIDTH, HEIGHT)["counts"], (HEIGHT, WIDTH))


def triangle(left: int, top: int, rows: int, columns: int) -> CropMask:
    return CropMask(left, top, np.tri(rows, columns, dtype=np.bool_))


CROPS = (triangle(3, 2, 6, 8), CropMask.empty(), triangle(20, 10, 10, 10))
BOXES = ((3.4, 2.0, 10.5, 7.9), (1.0, 1.0, 5.0, 5.0), (20.0, 10.0, 30.0, 20.0))
INSTANCES = tuple(instance(crop, box, 0.25) for crop, box in zip(CROPS, BOXES, strict=True))
RESULT = Result(WIDTH, HEIGHT, (), MODEL, INSTANCES, None, {})
BINARY = dataclasses.replace(RESULT, instances=(), foreground=instance(triangle(0, 0, 20, 30), (0, 0, 30, 20)))
IMAGE = np.random.default_rng(0).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def whole(crop: CropMask) -> np.ndarray:
    pixels = np.zeros((HEIGHT, WIDTH), np.bool_)
    rows, columns = crop.pixels.shape
    pixels[crop.top : crop.top + rows, crop.left : crop.left + columns] = crop.pixels
    return pixels


def test_masks_are_decoded_once() -> None:
    for found, crop in zip(RESULT.instances, CROPS, strict=True):
        np.testing.assert_array_equal(found.mask, whole(crop))
        assert found.mask is found.mask


def test_the_crop_has_the_whole_mask_beyond_the_box_too() -> None:
    grown = instance(triangle(2, 1, 15, 25), (5.0, 5.0, 9.0, 9.0))
    crop = grown.crop
    assert crop.area == grown.area
    rows, columns = crop.pixels.shape
    np.testing.assert_array_equal(crop.pixels, grown.mask[crop.top : crop.top + rows, crop.left : crop.left + columns])


def test_results_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        RESULT.width = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        INSTANCES[0].score = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("result", [RESULT, BINARY])
def test_pycocotools_reads_the_masks(result: Result, tmp_path: Path) -> None:
    truth = {"images": [{"id": 9, "width": WIDTH, "height": HEIGHT}], "categories": [{"id": 1}], "annotations": []}
    files = tmp_path / "truth.json", tmp_path / "results.json"
    for path, content in zip(files, (truth, result.to_coco(image_id=9)), strict=True):
        path.write_text(json.dumps(content))
    taken = COCO(str(files[0])).loadRes(str(files[1]))
    rows = taken.loadAnns(taken.getAnnIds(imgIds=[9], catIds=[1]))
    assert [row["score"] for row in rows] == [found.score for found in result.found]
    assert [row["area"] for row in rows] == [found.area for found in result.found]
    for row, found in zip(rows, result.found, strict=True):
        np.testing.assert_array_equal(coco_mask.decode(row["segmentation"]), found.mask)
    assert {row["category_id"] for row in result.to_coco(9, category_id=7)} == {7}


def test_a_missing_supervision_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(ImportError, match="pip install supervision"):
        RESULT.to_supervision()


def test_overlay_is_the_service_s_own() -> None:
    before = IMAGE.copy()
    instances = [
        core_result.Instance(Box(*box), CropMask(found.crop.left, found.crop.top, found.crop.pixels), 0.25)
        for box, found in zip(BOXES, INSTANCES, strict=True)
    ]
    expected = overlay(IMAGE, instances)
    np.testing.assert_array_equal(RESULT.overlay(IMAGE), expected)
    np.testing.assert_array_equal(RESULT.overlay(PIL.Image.fromarray(IMAGE)), expected)
    np.testing.assert_array_equal(IMAGE, before)
    assert (BINARY.overlay(IMAGE) != IMAGE).any()


def test_without_opencv_overlay_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "hiseg.masks.formats.overlay")
    monkeypatch.setattr(extras, "installed_runtimes", list)
    with pytest.raises(ExtraMissing, match=r"^overlay\(\) needs packages.*" + re.escape(install_command("cpu"))):
        RESULT.overlay(IMAGE)


def test_overlay_on_another_image_is_refused() -> None:
    with pytest.raises(ValueError, match="20 x 30 pixels; the one asked about had 30 x 20"):
        RESULT.overlay(IMAGE.transpose(1, 0, 2))
