"""The client checks boxes, options and URLs before it sends anything."""

from __future__ import annotations

import warnings
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hiseg.client import Client, InvalidRequest
from hiseg.client.request import MAX_SECONDS, make_request, pop_timeout, to_rows


@pytest.mark.parametrize(
    "boxes",
    [[[1, 2, 3, 4]], ((1, 2, 3, 4),), np.array([[1, 2, 3, 4]]), [range(1, 5)], [np.float32([1, 2, 3, 4])]],
)
def test_boxes_of_any_kind(boxes: Any) -> None:
    assert to_rows(boxes) == to_rows(iter(boxes)) == ((1.0, 2.0, 3.0, 4.0),)


@pytest.mark.parametrize(
    ("boxes", "field", "what"),
    [
        ([[1, 2, 3, 4], [1, 2, 3]], "boxes[1]", "has 3 numbers"),
        ([1, 2, 3, 4], "boxes[0]", "is not a row"),
        ([["a", 2, 3, 4]], "boxes[0]", "is not a row"),
        ([{"x1": 1, "y1": 2, "x2": 3, "y2": 4}], "boxes[0]", "is not a row"),
        ([["1_1", 2, 3, 40]], "boxes[0]", "is not a row"),
        ([[True, 2, 3, 4]], "boxes[0]", "is not a row"),
        ([np.array([True, False, True, True])], "boxes[0]", "is not a row"),
        ([[0, 0, 10**400, 4]], "boxes[0]", "is not a row"),
        ("1,2,3,4", "boxes", "are a str"),
        ({"boxes": [[1, 2, 3, 4]]}, "boxes", "are a dict"),
        (7, "boxes", "are a int"),
        (np.float32(7), "boxes", "are a float"),
        (SimpleNamespace(xyxy=None), "boxes", "are a NoneType"),
    ],
)
def test_bad_boxes_are_named(boxes: Any, field: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what) as caught:
        to_rows(boxes)
    assert caught.value.field == field
    assert (caught.value.reason, caught.value.status, caught.value.code) == ("INVALID_REQUEST", None, None)


def test_tensors_are_asked_for_their_numbers_at_once() -> None:
    """One that a model is still trained with would warn of each number."""
    tensor = torch.tensor([[1.0, 2, 3, 4]], requires_grad=True)
    for boxes in (tensor, list(tensor), SimpleNamespace(xyxy=tensor)):
        with warnings.catch_warnings(action="error"):
            assert to_rows(boxes) == ((1.0, 2.0, 3.0, 4.0),)


class Found:
    """What a detector found, as its library has it."""

    xyxy = np.array([[1, 2, 3, 4]], np.float32)


def test_what_a_detector_found_are_boxes() -> None:
    assert make_request(b"", Found(), {}).rows == ((1.0, 2.0, 3.0, 4.0),)
    assert make_request(b"", Found(), {"box_format": "xyxy", "normalized": False}).rows == ((1.0, 2.0, 3.0, 4.0),)
    for options in ({"box_format": "xywh"}, {"normalized": True}):
        with pytest.raises(InvalidRequest, match="corners in pixels"):
            make_request(b"", Found(), options)


def test_boxes_that_are_left_out_have_people_found() -> None:
    binary, nobody = make_request(b"", None, {"mode": "binary"}), make_request(b"", [], {})
    assert (binary.rows, binary.options, nobody.rows, nobody.options) == ((), {"mode": "binary"}, (), {})
    for options in ({}, {"mode": "instance"}):
        assert make_request(b"", None, options).options == {"find": True, **options}
    assert make_request(b"", None, {"find": False}).options == {"find": False}
    assert make_request(b"", None, {"find": "true", "max_people": 3.0}).options == {"find": True, "max_people": 3}


def test_options_that_are_not_set_are_left_out() -> None:
    assert make_request(b"", [], {"mode": None, "threshold": 0.3}).options == {"threshold": 0.3}


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="no option 'treshold'; there are box_format, dilation_px, find, find_thr"):
        make_request(b"", [], {"treshold": 0.3})


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "grpc://host:1/path", "grpc:host"])
def test_urls_of_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"HOST|path"):
        Client(url)


@pytest.mark.parametrize("key", ["secret\n", " secret", "секрет", "\x00"])
def test_keys_that_no_header_can_have_are_refused_and_not_shown(key: str) -> None:
    for url in ("http://host", "grpc://host:1"):
        with pytest.raises(ValueError, match=r"^the API key has white space at an end, or a character") as caught:
            Client(url, api_key=key)
        assert key.strip() not in str(caught.value)


def test_options_have_the_types_that_every_transport_can_write() -> None:
    given = {"threshold": np.float32(0.5), "dilation_px": np.int64(5), "normalized": np.True_, "resolve_overlaps": 0}
    found = make_request(b"", [], given).options
    assert found == {"threshold": 0.5, "dilation_px": 5, "normalized": True, "resolve_overlaps": False}
    assert [type(value) for value in found.values()] == [float, int, bool, bool]
    assert make_request(b"", [], {"threshold": " .5 ", "dilation_px": "5.0"}).options["dilation_px"] == 5
    mode = make_request(b"", None, {"mode": StrEnum("Mode", "BINARY").BINARY}).options["mode"]  # type: ignore[attr-defined]
    assert (type(mode), mode) == (str, "binary")


def test_timeouts_are_numbers_of_seconds() -> None:
    for given, seconds in ((5, 5.0), ("0.5", 0.5), (np.float32(2), 2.0), (1e300, MAX_SECONDS), (None, 30.0)):
        options = {"timeout": given, "mode": "binary"}
        assert (pop_timeout(options, 30.0), options) == (seconds, {"mode": "binary"})
    assert pop_timeout({}, None) is None
    for wrong in ("soon", float("nan"), float("inf"), True, []):
        with pytest.raises(InvalidRequest, match="timeout: it should be a"):
            pop_timeout({"timeout": wrong}, None)
    with pytest.raises(InvalidRequest, match="timeout: it should be a number"):
        Client("http://127.0.0.1:1", timeout="soon")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("threshold", value) for value in (True, "1_0", "nan", float("nan"), float("inf"), [0.5], "", "0,5")),
        *(("dilation_px", value) for value in ("1_0", 5.5, "5.5", False, 10**400)),
        *(("normalized", value) for value in (2, "maybe", "", [True])),
        ("resolve_overlaps", "2"),
        *((name, value) for name in ("mode", "model") for value in ([], ["binary"], True, 1, b"b0")),
    ],
)
def test_options_of_other_types_are_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match="it should be") as caught:
        make_request(b"", [], {name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", ["model", "variant", "mode"])
def test_words_are_not_empty_over_grpc_either(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"{name}: it is empty"):
        make_request(b"", [], {name: ""})
