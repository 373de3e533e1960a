"""What files become of a photo's masks, whichever format they have."""

from __future__ import annotations

import io
import json

import numpy as np
import PIL.Image
import pytest

from benchmarks.harness.paths import SAMPLE
from hiseg.api.encoding import MaskFormat
from hiseg.client.result import Instance, Result
from hiseg.core.result import CropMask, ModelRef
from hiseg.masks.formats.picture import PictureType
from hiseg.masks.formats.rle import coco_rle
from hiseg.photos.drawing import Drawing, to_core

PHOTO = SAMPLE.read_bytes()
WIDTH, HEIGHT = 949, 512
MASK = CropMask(100, 50, np.ones((200, 80), np.bool_))


def result(people: int, binary: bool = False) -> Result:
    """People in the same place, and one in none."""
    masks = [MASK] * (people - 1) + [CropMask.empty()]
    found = tuple(
        Instance((90.0, 40.0, 190.0, 260.0), 0.9, mask.area, coco_rle(mask, WIDTH, HEIGHT)["counts"], (HEIGHT, WIDTH))
        for mask in masks
    )
    timings = {"infer": 2.00049, "decode": 1.0, "other": 3.0}
    model = ModelRef("hiseg_b0", "3", "b0")
    foreground = found[0] if binary else None
    return Result(WIDTH, HEIGHT, ("a note",), model, () if binary else found, foreground, timings)


@pytest.mark.parametrize("mask_format", MaskFormat)
@pytest.mark.parametrize("kind", PictureType)
def test_each_file_is_what_the_end_of_its_name_says(mask_format: MaskFormat, kind: PictureType) -> None:
    drawing = Drawing(mask_format, kind)
    files = dict(zip(drawing.ends(3), drawing.files(PHOTO, result(3)), strict=True))
    assert len(files) == (3 if mask_format is MaskFormat.PNG else 1)
    for end, content in files.items():
        if end == ".json":
            assert {each["mask"]["format"] for each in json.loads(content)["instances"]} == {mask_format.value}
        else:
            with PIL.Image.open(io.BytesIO(content)) as picture:
                assert picture.size == (WIDTH, HEIGHT)
                assert picture.format == {"png": "PNG", "jpg": "JPEG", "webp": "WEBP"}[end.rpartition(".")[2]]


def test_a_black_and_white_mask_is_the_mask() -> None:
    first, empty = Drawing(MaskFormat.PNG).files(PHOTO, result(2))
    with PIL.Image.open(io.BytesIO(first)) as picture:
        drawn = np.asarray(picture)
    assert (drawn[MASK.region] == 255).all()
    assert np.count_nonzero(drawn) == MASK.area
    with PIL.Image.open(io.BytesIO(empty)) as picture:
        assert not np.asarray(picture).any()


def test_nobody_is_no_file_of_a_person_and_one_of_all() -> None:
    nobody = Result(WIDTH, HEIGHT, (), ModelRef("m", "1", "b0"), (), None, {})
    assert Drawing(MaskFormat.PNG).files(PHOTO, nobody) == []
    assert len(Drawing(MaskFormat.LABEL_MAP).files(PHOTO, nobody)) == 1


def test_the_answer_keeps_all_but_what_is_of_no_stage() -> None:
    answer = json.loads(Drawing(MaskFormat.OVERLAY).json(PHOTO, result(2)))
    assert answer["image"] == {"width": WIDTH, "height": HEIGHT, "notes": ["a note"]}
    assert list(answer["timings_ms"].items()) == [("decode", 1.0), ("infer", 2.0)]
    assert [each["area"] for each in answer["instances"]] == [MASK.area, 0]
    assert "foreground" not in answer


def test_everybody_at_once_stays_that() -> None:
    found = to_core(result(2, binary=True))
    assert found.instances == ()
    assert found.foreground is not None
    assert found.foreground.area == MASK.area
