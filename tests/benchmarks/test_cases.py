"""People are assigned to the right kinds of cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image

from benchmarks.cases import cases
from hiseg.core.box import Box
from hiseg_training.data.coco import Photo
from hiseg_training.data.person import Person


def photo(path: Path, brightness: list[int]) -> Photo:
    """An image of grey columns, 20 wide, with a person in the middle of each."""
    pixels = np.repeat(np.repeat(np.array(brightness, np.uint8)[None], 20, axis=1), 40, axis=0)
    PIL.Image.fromarray(np.stack([pixels] * 3, axis=2)).save(path)
    people = [Person(Box(20.0 * k + 6, 10, 20.0 * k + 14, 30), 1.0, None) for k in range(len(brightness))]
    return Photo(path, 20 * len(brightness), 40, "drawn", True, tuple(people))


def test_dark_is_measured_and_the_rest_was_judged(tmp_path: Path) -> None:
    photos = [photo(tmp_path / "a.png", [200, 20]), photo(tmp_path / "b.png", [49, 51, 0])]
    found = cases(photos, [], {"children": {"b.png": [1], "c.png": [0]}})
    assert found == {"dark": [(0, 1), (1, 0), (1, 2)], "children": [(1, 1)]}
