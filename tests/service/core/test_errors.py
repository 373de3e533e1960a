"""An error quotes little of what was sent; it can be copied for one part of a request without changing the original."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hiseg.core.errors import (
    HisegError,
    InvalidRequest,
    Overloaded,
    Reason,
    Unavailable,
    UnsupportedImage,
    quote,
    shorten,
)

ERRORS = [
    InvalidRequest("it is empty", field="boxes[2]", limit=4, value=3),
    Overloaded("it would wait too long", reason=Reason.WAIT_TOO_LONG, retry_after=7, limit=1, value=2),
    Unavailable("no engine answers"),
]


@pytest.mark.parametrize("error", ERRORS)
def test_with_prefix_returns_a_copy_with_the_prefixed_field_and_detail(error: HisegError) -> None:
    before = dict(vars(error))
    copy = error.with_prefix("tasks[1]")
    assert type(copy) is type(error)
    assert copy.detail == f"tasks[1]: {error.detail}"
    assert copy.field == (f"tasks[1].{error.field}" if error.field else "tasks[1]")
    assert vars(copy) | {"detail": error.detail, "field": error.field} == before
    assert vars(error) == before


@given(st.text())
def test_a_shortened_text_is_printable_and_says_how_long_it_was(text: str) -> None:
    short = shorten(text)
    assert len(short) <= 80
    assert short.isprintable()
    if len(text) <= 80:
        assert len(short) == len(text)
        assert short == text or not text.isprintable()
    else:
        assert short.endswith(f"… ({len(text)} characters)")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(VALUES, st.text(min_size=1), st.text(max_size=1000))
@example(10**5000, "field", "detail")
@example([[1] * 100] * 100, "field", "detail")
def test_an_error_quotes_any_value_in_short_json(value: object, field: str, detail: str) -> None:
    error = InvalidRequest(detail, field=field, value=value)
    assert len(json.dumps([error.value, error.field], ensure_ascii=False, allow_nan=False)) <= 1000
    assert len(error.detail) <= 500
    assert error.detail.isprintable()


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        (101, 101),
        ("b9", "b9"),
        (True, True),
        ([1.5, float("inf")], [1.5, "inf"]),
        ({"a": None}, "an object"),
        ([None], ["null"]),
        ([0] * 20_000, "a list of 20000"),
        (-(10**4000), "a number of about 4000 digits"),
    ],
)
def test_a_value_is_quoted_without_words_of_python(value: object, quoted: object) -> None:
    assert quote(value) == quoted


def test_titles_fit_the_reason() -> None:
    titles = {reason: UnsupportedImage("", reason=reason).title for reason in UnsupportedImage.reasons}
    assert len(set(titles.values())) == 3
    assert titles[Reason.UNSUPPORTED_IMAGE] == "Unsupported image type"
    assert titles[Reason.UNSUPPORTED_CONTENT_TYPE] == "Unsupported content type"
    assert titles[Reason.UNSUPPORTED_ENCODING] == "Unsupported encoding of the body"
