"""The client checks boxes, options and URLs before it sends anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hiseg.client import Client, InvalidRequest
from hiseg.client.request import make_request, to_rows


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
    ],
)
def test_bad_boxes_are_named(boxes: Any, field: str, what: str) -> None:
    with pytest.raises(InvalidRequest, match=what) as caught:
        to_rows(boxes)
    assert caught.value.field == field
    assert (caught.value.status, caught.value.code) == (None, None)


def test_options_that_are_not_set_are_left_out() -> None:
    assert make_request(b"", [], {"mode": None, "threshold": 0.3}).options == {"threshold": 0.3}


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="no option 'treshold'; there are box_format, dilation_px, mode"):
        make_request(b"", [], {"treshold": 0.3})


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "grpc://host:1/path", "grpc:host"])
def test_urls_of_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"HOST|path"):
        Client(url)
