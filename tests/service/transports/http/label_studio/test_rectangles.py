"""Rectangles become boxes as Label Studio's own library turns them, and wrong ones are named."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.core.errors import HisegError
from hiseg.transports.http.label_studio.rectangles import ImageRectangles, Rectangle, Region, box_of

SHARES = st.floats(0, 100)
WIDTH, HEIGHT = 400, 200


@given(SHARES, SHARES, SHARES, SHARES)
def test_per_cents_become_shares(x: float, y: float, width: float, height: float) -> None:
    found = box_of(Region(original_width=640, original_height=480), Rectangle(x=x, y=y, width=width, height=height))
    assert found == pytest.approx([x / 100, y / 100, (x + width) / 100, (y + height) / 100])


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [
        # 200 x 50 pixels in an image of 1000 x 500, from (500, 100).
        (0, [500, 100, 700, 150]),
        (90, [450, 100, 500, 300]),
        (180, [300, 50, 500, 100]),
        (-90, [500, -100, 550, 100]),
        (45, [500 - 50 / 2**0.5, 100, 500 + 200 / 2**0.5, 100 + 250 / 2**0.5]),
    ],
)
def test_a_rotated_rectangle_becomes_its_bounding_box(rotation: float, expected: list[float]) -> None:
    drawn = Rectangle(x=50, y=20, width=20, height=10, rotation=rotation)
    x1, y1, x2, y2 = box_of(Region(original_width=1000, original_height=500), drawn)
    assert [x1 * 1000, y1 * 500, x2 * 1000, y2 * 500] == pytest.approx(expected)


def test_every_angle_as_label_studio_s_library_has_it(tools: Callable[..., str], tmp_path: Path) -> None:
    chance = random.Random(5)
    cases = []
    for rotation in [*range(-360, 721, 15), *(chance.uniform(-400, 800) for _ in range(40))]:
        width, height = chance.randint(50, 4000), chance.randint(50, 4000)
        numbers = {name: chance.uniform(1, 100) for name in ("x", "y", "width", "height")}
        cases.append({**numbers, "rotation": rotation, "original_width": width, "original_height": height})
    (tmp_path / "cases.json").write_text(json.dumps({"configs": [], "rectangles": cases}))
    tools("label_studio_says.py", tmp_path / "cases.json", tmp_path / "said.json")
    said = json.loads((tmp_path / "said.json").read_text())["corners"]
    for case, corners in zip(cases, said, strict=True):
        width, height = case["original_width"], case["original_height"]
        x1, y1, x2, y2 = box_of(Region.model_validate(case), Rectangle.model_validate(case))
        xs, ys = zip(*corners, strict=True)
        found = [x1 * width, y1 * height, x2 * width, y2 * height]
        assert found == pytest.approx([min(xs), min(ys), max(xs), max(ys)], abs=1e-6)


def read(value: object, **more: object) -> tuple[list[tuple[float, ...]], list[HisegError]]:
    """The boxes of a rectangle, in pixels of an image of 400 x 200, and the errors."""
    drawn, errors = ImageRectangles("i", regions=[{"type": "rectangle", "value": value, **more}]).read()
    boxes = []
    for each in drawn:
        try:
            boxes.append(each.box_in(WIDTH, HEIGHT).as_tuple())
        except HisegError as error:
            errors.append(error)
    return boxes, errors


WHOLE = {"x": 10, "y": 20, "width": 30, "height": 40}


@pytest.mark.parametrize(
    ("value", "more", "expected"),
    [
        (WHOLE, {}, [40, 40, 160, 120]),
        (WHOLE, {"original_width": None, "original_height": None}, [40, 40, 160, 120]),
        (WHOLE, {"original_width": 4000.0, "original_height": 2000}, [40, 40, 160, 120]),
        (WHOLE | {"x": "10", "width": "30.0"}, {}, [40, 40, 160, 120]),
        (WHOLE | {"rotation": None, "rectanglelabels": None}, {"id": 7, "score": None, "meta": {}}, [40, 40, 160, 120]),
        # The image's own sides are taken for a turn if nothing else is known.
        (WHOLE | {"rotation": 90}, {}, [-40, 40, 40, 160]),
        # How annotators had turned the whole image on their screens changes nothing.
        (WHOLE, {"image_rotation": 90}, [40, 40, 160, 120]),
        ({"x": -10, "y": -10, "width": 120, "height": 120}, {}, [-40, -20, 440, 220]),
        ({"x": 99, "y": 99, "width": 50, "height": 50}, {}, [396, 198, 596, 298]),
    ],
)
def test_rectangles_that_are_taken(value: dict[str, Any], more: dict[str, Any], expected: list[float]) -> None:
    boxes, errors = read(value, **more)
    assert not errors
    assert boxes == [pytest.approx(expected)]


@pytest.mark.parametrize(
    ("value", "more", "text"),
    [
        (WHOLE | {"width": 0}, {}, "empty"),
        (WHOLE | {"height": 0}, {"id": "abc"}, "boxes[0], the region 'abc', is empty"),
        (WHOLE | {"width": 0.2, "x": 50}, {}, "less than a pixel"),
        (WHOLE | {"x": 99.9}, {}, "less than a pixel"),
        (WHOLE | {"x": 100}, {}, "outside the image"),
        (WHOLE | {"x": 250, "y": 300}, {}, "outside the image, which has 400 x 200 pixels"),
        (WHOLE | {"x": -31}, {}, "outside"),
        (WHOLE | {"width": -5}, {}, "width"),
        (WHOLE | {"x": float("nan")}, {}, "x"),
        (WHOLE | {"x": float("inf")}, {}, "x"),
        (WHOLE | {"x": None}, {}, "x"),
        (WHOLE | {"x": "ten"}, {}, "x"),
        (WHOLE | {"x": "1_0"}, {}, "x"),
        (WHOLE | {"x": "nan"}, {}, "x"),
        (WHOLE | {"x": True}, {}, "x"),
        (WHOLE | {"rotation": "left"}, {}, "rotation"),
        (WHOLE | {"x": 1e308, "width": 1e308}, {}, "outside|too large"),
        ({"x": 1}, {}, "y"),
        (None, {}, "value"),
        ([1, 2, 3, 4], {}, "value"),
        (WHOLE, {"original_width": 0}, "original_width"),
        (WHOLE, {"original_width": 10**400}, "original_width"),
        (WHOLE | {"rectanglelabels": ["a"] * 101}, {}, "rectanglelabels"),
        (WHOLE | {"rectanglelabels": ["a" * 201]}, {}, "rectanglelabels"),
        (WHOLE | {"rectanglelabels": "Person"}, {}, "rectanglelabels"),
    ],
)
def test_rectangles_that_are_wrong_are_named(value: object, more: dict[str, Any], text: str) -> None:
    boxes, (error,) = read(value, **more)
    assert not boxes
    assert (error.field or "").startswith("boxes[0]")
    assert error.detail.startswith("boxes[0]")
    assert any(part in error.detail for part in text.split("|"))
