"""Boxes are parsed, converted and checked."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.api.boxes import BoxFormat, check_count, parse_boxes, to_boxes
from hiseg.core.box import Box
from hiseg.core.errors import InvalidRequest, TooLarge

NUMBERS = st.floats(-1e4, 1e4)
SIDES = st.floats(1e-2, 1e4)


def test_boxes_are_parsed_from_text() -> None:
    assert parse_boxes("1,2,3,4;5.5,6,7,8e1;") == [[1, 2, 3, 4], [5.5, 6, 7, 80]]
    assert parse_boxes("") == parse_boxes(" \n") == []


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3,4;5,6,7,8;",
        " 1, 2 ,3,4 ; 5,6,7,8 ",
        "1,2,3,4\n5,6,7,8\n",
        "1,2,3,4;\r\n5,6,7,8\r\n",
        "1 2 3 4;5\t6 7  8",
        "[[1,2,3,4],[5,6,7,8]]",
        "[[1.0, 2, 3e0, 4],\n [5, 6, 7, 8]]",
    ],
)
def test_boxes_are_separated_as_people_do(text: str) -> None:
    assert parse_boxes(text) == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_one_row_of_json_may_stand_alone() -> None:
    assert parse_boxes("[1,2,3,4]") == [[1, 2, 3, 4]]
    assert parse_boxes("[]") == []


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (";1,2,3,4", "boxes[0]"),
        (";", "boxes[0]"),
        ("1,2,3,4;;5,6,7,8", "boxes[1]"),
        ("1,2,3,4; ;5,6,7,8", "boxes[1]"),
        ("1,2,3,4|5,6,7,8", "boxes[0]"),
        ("1,2,3,4,", "boxes[0]"),
        ("1,,3,4", "boxes[0]"),
        ("(1,2,3,4)", "boxes[0]"),
        ('{"x1":1}', "boxes[0]"),
        ("[1,2,3,4", "boxes"),
        ("[1,2,3,4],[5,6,7,8]", "boxes"),
        ("[[1,2,3,true]]", "boxes[0]"),
        ('[["1",2,3,4]]', "boxes[0]"),
        ("[[1,2,3,4],5]", "boxes[1]"),
        ('[{"x1":1}]', "boxes[0]"),
        ("[" * 50_000, "boxes"),
    ],
)
def test_what_isnt_plain_is_refused(text: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_boxes(text)
    assert raised.value.field == field


@given(
    st.lists(st.lists(NUMBERS, min_size=1, max_size=5), min_size=1, max_size=5),
    st.sampled_from([";", ";\n", "\n", " ; "]),
)
def test_text_and_json_say_the_same(rows: list[list[float]], separator: str) -> None:
    text = separator.join(",".join(map(repr, row)) for row in rows)
    assert parse_boxes(text) == parse_boxes(text + separator) == rows
    assert parse_boxes(json.dumps(rows)) == rows


def test_parse_errors_name_the_box() -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_boxes("1,2,3,4;1,2,three,4")
    assert raised.value.field == "boxes[1]"
    assert raised.value.value == "1,2,three,4"


@given(NUMBERS, NUMBERS, SIDES, SIDES)
def test_box_formats_agree(x: float, y: float, w: float, h: float) -> None:
    corners = to_boxes([[x, y, x + w, y + h]], 640, 480)
    assert to_boxes([[x, y, w, h]], 640, 480, BoxFormat.XYWH) == corners
    centred = to_boxes([[x + w / 2, y + h / 2, w, h]], 640, 480, BoxFormat.CXCYWH)[0]
    assert centred.as_tuple() == pytest.approx(corners[0].as_tuple(), abs=1e-6)


def test_normalized_boxes_are_shares_of_the_image() -> None:
    assert to_boxes([[0.25, 0.5, 0.75, 1.0]], 640, 480, normalized=True) == (Box(160, 240, 480, 480),)


@pytest.mark.parametrize(
    "row",
    [
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        [],
        [math.nan, 0, 1, 1],
        [0, 0, math.inf, 1],
        [5, 5, 5, 9],
        [9, 0, 1, 5],
        [0, 9, 5, 1],
    ],
)
def test_bad_boxes_are_named(row: list[float]) -> None:
    with pytest.raises(InvalidRequest) as raised:
        to_boxes([[0, 0, 1, 1], row], 640, 480)
    assert raised.value.field == "boxes[1]"


def test_too_many_boxes_are_refused() -> None:
    check_count(3, 3)
    with pytest.raises(TooLarge) as raised:
        check_count(4, 3)
    assert (raised.value.field, raised.value.limit, raised.value.value) == ("boxes", 3, 4)


@given(NUMBERS, NUMBERS, SIDES, SIDES, st.integers(1, 5000), st.integers(1, 5000))
def test_clipped_boxes_lie_in_the_image(x: float, y: float, w: float, h: float, width: int, height: int) -> None:
    clipped = Box(x, y, x + w, y + h).clipped(width, height)
    assert 0 <= clipped.x1 <= clipped.x2 <= width
    assert 0 <= clipped.y1 <= clipped.y2 <= height
    assert clipped.clipped(width, height) == clipped


@pytest.mark.parametrize(("text", "name"), [("1,1,9,9;;2,2,8,8", "boxes[1]"), (";1,1,9,9", "boxes[0]")])
def test_a_box_that_is_left_out_is_named(text: str, name: str) -> None:
    with pytest.raises(InvalidRequest, match="there is nothing between two semicolons") as raised:
        parse_boxes(text)
    assert raised.value.field == name
