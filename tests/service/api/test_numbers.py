"""Numbers are read alike in JSON, in queries and in lists of boxes, and what is none is refused."""

from __future__ import annotations

import json

import pytest

from hiseg.api.boxes import parse_boxes
from hiseg.api.json_reader import limits_of_options, read_json
from hiseg.api.options import Options
from hiseg.api.validation import read_values
from hiseg.core.errors import InvalidRequest
from hiseg.transports.http.form import JsonOptions
from hiseg.transports.http.kserve.tensors import InferIn

LIMITS = limits_of_options(max_boxes=100)
NONE = [
    *("1_1", "0_5", "0x10", "0b1", "١", "２", "½", "1e", "e3", "--1", "1f", "5px", "\u22125", "1 0", "1\u00a0"),
    *(".", "", " ", "nan", "NaN", "inf", "-Infinity", "true", "None"),
]
SOME = {"5": 5, " 5 ": 5, "+5": 5, "5.0": 5, "05": 5, "1e1": 10, "2.5E-1": 0.25, ".5": 0.5, "5.": 5, "\t7\n": 7}


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number_is_refused_wherever_it_stands(text: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_boxes(f"1,2,3,4;1,2,3,{text}")
    assert raised.value.field == "boxes[1]"
    with pytest.raises(InvalidRequest) as raised:
        read_json(JsonOptions, json.dumps({"boxes": [[1, 2, 3, 4], [1, 2, 3, text]]}).encode(), LIMITS)
    assert raised.value.field == "boxes[1][3]"
    for name in ("tolerance_px", "threshold", "dilation_px", "deadline_ms"):
        with pytest.raises(InvalidRequest) as raised:
            read_values(Options, {name: text})
        assert raised.value.field == name
        with pytest.raises(InvalidRequest) as raised:
            read_json(JsonOptions, json.dumps({name: text}).encode(), LIMITS)
        assert raised.value.field == name


@pytest.mark.parametrize(("text", "number"), SOME.items())
def test_numbers_as_people_write_them_are_read(text: str, number: float) -> None:
    assert parse_boxes(f"1,2,3,{text}") == [[1, 2, 3, number]]
    body = json.dumps({"boxes": [[1, 2, 3, text]]}).encode()
    assert read_json(JsonOptions, body, LIMITS).boxes == [[1, 2, 3, number]]
    assert read_values(Options, {"tolerance_px": text}).tolerance_px == number


@pytest.mark.parametrize("value", [True, False, "true", [1], {}, 2.5, "2.5"])
@pytest.mark.parametrize("name", ["dilation_px", "deadline_ms"])
def test_whole_numbers_are_whole(name: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_json(JsonOptions, json.dumps({name: value}).encode(), LIMITS)
    assert (raised.value.field, "number" in raised.value.detail) == (name, True)
    assert "Input" not in raised.value.detail


@pytest.mark.parametrize(
    "text", ['{"threshold": true}', '{"boxes": [[1, 2, 3, true]]}', '{"boxes": [[1, 2, 3, null]]}', '{"boxes": [[{}]]}']
)
def test_true_and_null_are_no_numbers(text: str) -> None:
    with pytest.raises(InvalidRequest, match="it should be a number"):
        read_json(JsonOptions, text.encode(), LIMITS)


@pytest.mark.parametrize("side", [True, "1_0", "x", 1.5, -1])
def test_sides_of_tensors_are_numbers(side: object) -> None:
    tensor = {"name": "image", "datatype": "BYTES", "shape": [side]}
    with pytest.raises(InvalidRequest):
        read_json(InferIn, json.dumps({"inputs": [tensor]}).encode(), LIMITS)
