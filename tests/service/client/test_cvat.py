"""The function for CVAT's automatic annotation, run by CVAT's own command line and library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.paths import ROOT, SAMPLE, SAMPLE_BOXES
from benchmarks.harness.serving import Server
from hiseg.client import Client, Result
from hiseg.client.cvat import create
from tests.service.client.cvat_server import FRAME, Cvat, cvat

FUNCTION = ROOT / "service" / "hiseg" / "client" / "cvat.py"
WIDTH, HEIGHT = 949, 512


@pytest.fixture
def running() -> Iterator[Cvat]:
    with cvat(SAMPLE.read_bytes(), WIDTH, HEIGHT) as server:
        yield server


@pytest.fixture(scope="module")
def expected(server: Server) -> Result:
    with Client(server.url) as client:
        return client.segment(SAMPLE, SAMPLE_BOXES)


def coco(folder: Path, name: str = FRAME) -> Path:
    """What CVAT exports of a task with rectangles, and one outside of the image."""
    boxes = [[x1, y1, x2 - x1, y2 - y1] for x1, y1, x2, y2 in [*SAMPLE_BOXES, [2000, 2000, 2010, 2010]]]
    content = {
        "images": [{"id": 4, "file_name": name, "width": WIDTH, "height": HEIGHT}],
        "categories": [{"id": 2, "name": "Person"}, {"id": 3, "name": "Horse"}],
        "annotations": [
            {"id": index, "image_id": 4, "category_id": 2, "bbox": box, "segmentation": [], "iscrowd": 0, "area": 1}
            for index, box in enumerate(boxes)
        ],
    }
    path = folder / "boxes.json"
    path.write_text(json.dumps(content))
    return path


def annotate(
    tools: Callable[..., str], running: Cvat, service: str, folder: Path, *more: str, boxes: Path | None = None
) -> list[dict[str, Any]]:
    """What `cvat-cli` uploads."""
    command = ["-m", "cvat_cli", "--server-host", running.url, "task", "auto-annotate", "1"]
    command += ["--function-file", str(FUNCTION), "-p", f"url=str:{service}"]
    command += ["-p", f"boxes=str:{boxes or coco(folder)}", *more]
    tools(*command, HOME=str(folder), CVAT_ACCESS_TOKEN="secret")
    assert not running.asked
    (upload,) = running.uploads
    return list(upload["shapes"])


def decoded(points: list[float]) -> np.ndarray:
    """A mask as CVAT keeps it: runs of its box, row by row, then the box with its last row and column included."""
    *runs, left, top, right, bottom = map(int, points)
    pixels = np.zeros((HEIGHT, WIDTH), np.bool_)
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    pixels[top : bottom + 1, left : right + 1] = flat.reshape(bottom + 1 - top, right + 1 - left)
    return pixels


def test_masks_are_those_of_the_client(
    tools: Callable[..., str], running: Cvat, server: Server, expected: Result, tmp_path: Path
) -> None:
    shapes = annotate(tools, running, server.url, tmp_path)
    assert [(shape["type"], shape["label_id"], shape["frame"]) for shape in shapes] == [("mask", 71, 0)] * 2
    for shape, instance in zip(shapes, expected.instances, strict=True):
        np.testing.assert_array_equal(decoded(shape["points"]), instance.mask)


def test_instances_under_the_threshold_have_no_polygon(
    tools: Callable[..., str], running: Cvat, server: Server, expected: Result, tmp_path: Path
) -> None:
    sure = sorted(instance.score for instance in expected.instances)
    more = ("--conv-mask-to-poly", "--conf-threshold", str(sum(sure) / 2), "-p", "timeout=float:20")
    shapes = annotate(tools, running, server.url, tmp_path, *more)
    (person,) = (instance for instance in expected.instances if instance.score == sure[1])
    rows, columns = np.nonzero(person.mask)
    assert {shape["type"] for shape in shapes} == {"polygon"}
    xs = [x for shape in shapes for x in shape["points"][::2]]
    ys = [y for shape in shapes for y in shape["points"][1::2]]
    assert len(xs) == len(ys) >= 3
    # Only the one person, up to the pixel by which corners may be left out.
    bounds = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert [min(xs), min(ys), max(xs), max(ys)] == pytest.approx(bounds, abs=1)


def test_a_frame_that_is_not_in_the_boxes_file(
    tools: Callable[..., str], running: Cvat, server: Server, tmp_path: Path
) -> None:
    with pytest.raises(AssertionError, match=f"has no image with the file_name '{FRAME}'"):
        annotate(tools, running, server.url, tmp_path, boxes=coco(tmp_path, "other.jpg"))
    assert not running.uploads


def rewritten(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The file of :func:`coco` with a change."""
    path = coco(folder)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_a_turned_rectangle_is_the_one_around_it(
    tools: Callable[..., str], running: Cvat, server: Server, expected: Result, tmp_path: Path
) -> None:
    def turn(content: dict[str, Any]) -> None:
        for row in content["annotations"]:
            x, y, width, height = row["bbox"]
            # The same rectangle, as CVAT writes one that was drawn lying and turned by 90 degrees.
            row["bbox"] = [x + (width - height) / 2, y + (height - width) / 2, height, width]
            row["attributes"] = {"occluded": False, "rotation": 90.0}

    shapes = annotate(tools, running, server.url, tmp_path, boxes=rewritten(tmp_path, turn))
    assert len(shapes) == 2
    for shape, instance in zip(shapes, expected.instances, strict=True):
        found = decoded(shape["points"])
        assert (found & instance.mask).sum() / (found | instance.mask).sum() > 0.999


def test_more_people_than_a_request_takes_are_asked_about_in_several(
    tools: Callable[..., str], running: Cvat, server: Server, tmp_path: Path
) -> None:
    boxes = [[10.0 + 6 * index, 20.0, 90.0, 300.0 + index] for index in range(130)]

    def many(content: dict[str, Any]) -> None:
        row = content["annotations"][0]
        content["annotations"] = [row | {"id": index, "bbox": box} for index, box in enumerate(boxes)]

    shapes = annotate(tools, running, server.url, tmp_path, boxes=rewritten(tmp_path, many))
    with Client(server.url) as client:
        wanted = [
            instance.mask
            for start in (0, 100)
            for instance in client.segment(SAMPLE, boxes[start : start + 100], box_format="xywh").instances
            if instance.area
        ]
    assert len(shapes) == len(wanted) > 100
    for shape, mask in zip(shapes, wanted, strict=True):
        np.testing.assert_array_equal(decoded(shape["points"]), mask)


def test_a_frame_whose_boxes_all_lie_outside_gets_nothing(
    tools: Callable[..., str], running: Cvat, server: Server, tmp_path: Path
) -> None:
    def move(content: dict[str, Any]) -> None:
        for row in content["annotations"]:
            row["bbox"][0] += 5000

    assert annotate(tools, running, server.url, tmp_path, boxes=rewritten(tmp_path, move)) == []


TWO_FRAMES = """
import sys
from types import SimpleNamespace
from PIL import Image
from hiseg.client.cvat import create
function = create("http://127.0.0.1:1", sys.argv[1])
image = Image.new("RGB", (20, 20))
for frame in ("a/people.jpg", "b/people.jpg"):
    try:
        assert function.detect(SimpleNamespace(frame_name=frame), image) == []
    except ValueError as error:
        print(error)
"""


def test_frames_of_one_name_do_not_share_boxes(tools: Callable[..., str], tmp_path: Path) -> None:
    said = tools("-c", TWO_FRAMES, coco(tmp_path, "people.jpg"))
    assert "one image 'people.jpg' for two frames, 'a/people.jpg' and 'b/people.jpg'" in said


@pytest.mark.parametrize("boxes", [True, False])
def test_without_cvat_s_package_a_sentence_says_so(tmp_path: Path, boxes: bool) -> None:
    with pytest.raises(ImportError, match="needs its package cvat_sdk: pip install cvat-cli"):
        create("http://127.0.0.1:1", str(coco(tmp_path)) if boxes else "")


BAD = {
    "{": "is not a COCO file",
    "[]": "is not a COCO file",
    "{}": "is not a COCO file",
    '{"images": [], "categories": [], "annotations": []}': "has no boxes",
    '{"images": [{"id": 1, "file_name": "a"}], "categories": [{"id": 1, "name": "b"}], "annotations": '
    '[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3]}]}': "annotations[0] has no box of four numbers",
}
TRY = """
import json, sys
from hiseg.client.cvat import create
for path in sys.argv[1:]:
    try:
        create("http://127.0.0.1:1", path)
    except ValueError as error:
        print(json.dumps(str(error)))
"""


def test_files_without_boxes_are_named(tools: Callable[..., str], tmp_path: Path) -> None:
    paths = [tmp_path / f"{index}.json" for index in range(len(BAD))]
    for path, text in zip(paths, BAD, strict=True):
        path.write_text(text)
    said = [json.loads(line) for line in tools("-c", TRY, *paths).splitlines()]
    for path, text, expected in zip(paths, said, BAD.values(), strict=True):
        assert str(path) in text
        assert expected in text


def test_a_box_drawn_in_the_editor_gets_a_mask(tools: Callable[..., str], server: Server, tmp_path: Path) -> None:
    """As CVAT's agent calls it: with the prompts of its own class, in the process that it works in."""
    out = tools("draw_in_cvat.py", server.url, SAMPLE, json.dumps(SAMPLE_BOXES[1]))
    first, second = json.loads(out)
    with Client(server.url) as client:
        (expected,) = client.segment(SAMPLE, SAMPLE_BOXES[1:]).instances
    np.testing.assert_array_equal(decoded(first), expected.mask)
    assert second is None
