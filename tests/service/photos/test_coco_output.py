"""What is written is what was read, and masks: nothing else changes, and no half file is ever there."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from hiseg.core.command_errors import CommandError
from hiseg.photos.coco_boxes import read_document
from hiseg.photos.coco_output import fill, to_bytes, write_file
from hiseg.photos.done import Entry, Outlined

RLE = {"size": [40, 50], "counts": "P1"}
CONTENT: dict[str, Any] = {
    "info": {"year": 2024, "作者": "Müller"},
    "licenses": [{"id": 3, "url": "http://x"}],
    "images": [
        {"id": 7, "file_name": "a.jpg", "more": [1, None, 1e300], "width": "50"},
        {"id": 8, "file_name": "b.jpg"},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [5, 10, 20, 20], "area": 400, "extra": {"b": 1, "a": 2}},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [5, 10, 20, 20], "score": 0.875, "segmentation": [[1]]},
        {"id": 12345678901234567890, "image_id": 8, "category_id": 1, "bbox": [5, 10, 20, 20], "area": 1.0},
        {"id": 4, "image_id": 7, "category_id": 1, "bbox": [500, 10, 20, 20], "area": 9},
    ],
    "categories": [{"id": 1, "name": "person", "keypoints": ["nose"]}],
    "tool": "x",
}
ENTRY = Entry(0, [1, 2], "m/1", 50, 40, [Outlined(0, RLE, 12, 0.75), Outlined(1, RLE, 0, 0.5)], [3])


def test_nothing_but_masks_changes() -> None:
    content = copy.deepcopy(CONTENT)
    document = read_document(content, Path("a.json"))
    filled = fill(document, {0: ENTRY})
    assert (filled.masks, filled.empty) == (2, 1)
    assert [str(failure) for failure in filled.failures] == [
        "a.jpg, annotations[3] (id 4): its bbox has no pixel of the photo inside"
    ]
    expected = copy.deepcopy(CONTENT)
    expected["images"][0] |= {"width": 50, "height": 40}
    expected["annotations"][0] |= {"segmentation": RLE, "area": 12, "score": 0.75}
    expected["annotations"][1] |= {"segmentation": RLE, "area": 0, "mask_score": 0.5}
    assert json.loads(to_bytes(document.content, packed=False)) == expected
    assert list(content["annotations"][0])[:6] == list(CONTENT["annotations"][0])
    assert "作者" in to_bytes(document.content, packed=False).decode()


def test_half_a_character_and_packing() -> None:
    assert json.loads(to_bytes(["\ud800"], packed=False)) == ["\ud800"]
    assert gzip.decompress(to_bytes([1], packed=True)) == to_bytes([1], packed=False)
    assert to_bytes([1], packed=True) == to_bytes([1], packed=True)


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_bytes(b"before")
    link.symlink_to(real)
    write_file(link, b"after")
    assert link.is_symlink()
    assert real.read_bytes() == b"after"
    with pytest.raises(CommandError, match=r"^-o: .*b.json can't be written: No such file or directory$"):
        write_file(tmp_path / "a" / "b.json", b"again")
