"""An error of validation names the field, the limit and the value in plain words and in JSON's."""

from __future__ import annotations

import pytest

from hiseg.api.json_reader import limits_of_options, read_json
from hiseg.api.validation import find_meant, read_values
from hiseg.core.errors import InvalidRequest
from hiseg.transports.http.body import JsonRequest
from hiseg.transports.http.form import JsonOptions
from hiseg.transports.http.kserve.tensors import InferIn
from hiseg.transports.http.texts import QueryOptions

ROW = "[x1, y1, x2, y2]"
LIMITS = limits_of_options(100)


@pytest.mark.parametrize(
    ("text", "detail", "field", "value"),
    [
        ("{}", "image: it is missing", "image", None),
        ('{"image":null}', "image: it should be a text", "image", "null"),
        ('{"image":{"a":[]}}', "image: it should be a text", "image", "an object"),
        ('{"image":"","boxes":null}', "boxes: it should be a list of rows", "boxes", "null"),
        (
            '{"image":"","boxes":[[1],{"a":1}]}',
            "boxes[1]: it should be a row, [x1, y1, x2, y2]",
            "boxes[1]",
            "an object",
        ),
        ('{"image":"","colour":[1,"\\u0000"]}', "colour: there is no such name", "colour", [1, "\ufffd"]),
        ('{"image":"","mode":["a",["b"]]}', "mode: it should be 'instance' or 'binary'", "mode", "a list of 2"),
        ("[1]", "request: it should be an object", "request", [1]),
    ],
)
def test_an_error_of_json(text: str, detail: str, field: str, value: object) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_json(JsonRequest, text.encode(), LIMITS)
    assert (raised.value.detail, raised.value.field, raised.value.value) == (detail, field, value)


def test_an_error_of_a_query() -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_values(QueryOptions, {"variant": "b" * 30_000})
    assert (raised.value.field, raised.value.limit) == ("variant", 40)
    assert str(raised.value.value).endswith("b… (30000 characters)")


def test_a_name_that_was_sent_is_shortened_too() -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_json(InferIn, b'{"inputs":[{"name":"' + b"n" * 300 + b'"}]}', LIMITS)
    assert (raised.value.field, raised.value.limit) == ("name", 200)
    with pytest.raises(InvalidRequest) as raised:
        read_values(QueryOptions, {"x" * 30_000: "1"})
    assert len(raised.value.detail) < 200


@pytest.mark.parametrize(
    ("values", "detail"),
    [
        ({"mode": ""}, "mode: it should be 'instance' or 'binary'"),
        ({"variant": ""}, "variant: it is empty"),
        ({"threshold": ""}, "threshold: it should be a number"),
        ({"threshold": "1.5"}, "threshold: it should be less than 1"),
        ({"dilation_px": "1.5"}, "dilation_px: it should be a whole number"),
        ({"deadline_ms": "0"}, "deadline_ms: it should be greater than 0"),
        ({"normalized": "maybe"}, "normalized: it should be true or false"),
        ({"variant": "b" * 41}, "variant: it should have at most 40 characters"),
        ({"model": ""}, "model: it is empty"),
        ({"model": "b" * 256}, "model: it should have at most 255 characters"),
        ({"model_name": "hiseg_b0"}, "model_name: there is no such name; did you mean 'model'?"),
    ],
)
def test_errors_are_in_plain_words(values: dict[str, str], detail: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_values(QueryOptions, values)
    assert raised.value.detail == detail


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Threshold", "threshold"),
        ("treshold", "threshold"),
        ("boxes[]", "boxes"),
        ("box", "boxes"),
        ("bboxes", "boxes"),
        ("boxFormat", "box_format"),
        ("mask-format", "mask_format"),
        ("dilation", "dilation_px"),
        ("conf", "threshold"),
        ("BOXES", "boxes"),
        ("normalised", "normalized"),
        ("colour", None),
        ("", None),
        ("\x00" * 10_000, None),
    ],
)
def test_the_name_that_was_meant(name: str, meant: str | None) -> None:
    assert find_meant(name, QueryOptions.model_fields) == meant
    if name:
        with pytest.raises(InvalidRequest) as raised:
            read_values(QueryOptions, {name: "1"})
        assert (f"did you mean {meant!r}?" in raised.value.detail) == (meant is not None)
        assert "threshold" in raised.value.limit  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"threshold":0.5,"threshold":0.5}', "threshold"),
        ('{"threshold":0.5,"thresh\\u006fld":0.9}', "threshold"),
        ('{"boxes":[[1,2,3,4]],"mode":"binary","boxes":[]}', "boxes"),
    ],
)
def test_a_name_of_json_is_there_once(text: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        read_json(JsonOptions, text.encode(), LIMITS)
    assert (raised.value.field, raised.value.detail) == (field, f"{field} is there twice in the JSON")
