"""An error of validation names the field, the limit and the value in plain words and in JSON's."""

from __future__ import annotations

import pytest

from hiseg.api.json_reader import limits_of_options, read_json
from hiseg.api.validation import read_values
from hiseg.core.errors import InvalidRequest
from hiseg.transports.http.body import JsonRequest, QueryOptions
from hiseg.transports.http.kserve.tensors import InferIn

LIMITS = limits_of_options(100)


@pytest.mark.parametrize(
    ("text", "detail", "field", "value"),
    [
        ("{}", "image: it is missing", "image", None),
        ('{"image":null}', "image: it should be a text", "image", "null"),
        ('{"image":{"a":[]}}', "image: it should be a text", "image", "an object"),
        ('{"image":"","boxes":null}', "boxes: it should be a list", "boxes", "null"),
        ('{"image":"","boxes":[[1],{"a":1}]}', "boxes[1]: it should be a list", "boxes[1]", "an object"),
        ('{"image":"","colour":[1,"\\u0000"]}', "colour: there is no such name", "colour", [1, "\ufffd"]),
        ('{"image":"","mode":["a",["b"]]}', "mode: Input should be 'instance' or 'binary'", "mode", "a list of 2"),
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
