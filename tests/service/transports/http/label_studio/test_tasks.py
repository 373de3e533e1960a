"""Which rectangles of a task get masks, and their positions in the image."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hiseg.core.errors import TooLarge
from hiseg.transports.http.label_studio.tasks import Params, Rectangle, Region, Task, box_of, rectangles_of


def region(x: float, kind: str = "rectanglelabels", to_name: str = "photo", **value: Any) -> dict[str, Any]:
    return {"type": kind, "to_name": to_name, "value": {"x": x, "y": 0, "width": 1, "height": 1, **value}}


def chosen(task: dict[str, Any], params: dict[str, Any] | None = None) -> list[float]:
    given_params = None if params is None else Params.model_validate(params)
    found = rectangles_of(Task.model_validate({"data": {}} | task), given_params, "photo", max_boxes=100)
    return [rectangle.x for _, rectangle in found]


ANNOTATED = {
    "annotations": [
        {"result": [region(1)]},
        {"result": [region(2), region(3, "rectangle"), region(4, "ellipselabels"), region(5, to_name="other")]},
        {"result": [region(6)], "was_cancelled": True},
        {"result": []},
    ],
    "predictions": [{"result": [region(7)]}],
}


def test_the_latest_annotation_that_has_any() -> None:
    assert chosen(ANNOTATED) == [2, 3]


def test_else_the_latest_prediction() -> None:
    assert chosen(ANNOTATED | {"annotations": None}) == [7]
    assert chosen({}) == []


def test_of_an_interactive_request_what_was_just_drawn() -> None:
    assert chosen(ANNOTATED, {"context": {"result": [region(8)]}}) == [8]
    assert chosen(ANNOTATED, {"context": {"result": [region(8, "keypointlabels")]}}) == []
    assert chosen(ANNOTATED, {"context": None}) == [2, 3]


def test_a_rectangle_needs_its_sides() -> None:
    with pytest.raises(ValidationError):
        chosen({"annotations": [{"result": [{"type": "rectangle", "value": {"x": 1}}]}]})


SHARES = st.floats(0, 100)


@given(SHARES, SHARES, SHARES, SHARES)
def test_percentages_become_fractions(x: float, y: float, width: float, height: float) -> None:
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


def test_a_rectangle_has_few_labels() -> None:
    drawn = region(1, rectanglelabels=["a"] * 101)
    with pytest.raises(ValidationError, match="at most 100 items"):
        chosen({"annotations": [{"result": [drawn]}]})


def test_more_rectangles_than_are_taken_are_not_even_read() -> None:
    wrong = {"type": "rectangle", "value": {}}
    with pytest.raises(TooLarge) as raised:
        chosen({"annotations": [{"result": [wrong] * 101}]})
    assert (raised.value.field, raised.value.limit, raised.value.value) == ("boxes", 100, 101)
