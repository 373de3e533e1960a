"""Metadata is text that anybody may have written: it is read within limits, and never breaks what shows it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiseg.engines.metadata import MAX_CHARACTERS, MAX_LINE_CHARACTERS, one_line, parse, size_violations

NO_JSON = ("[" * 5000, "[" * 5000 + "]" * 5000, '{"a":' * 100 + "1" + "}" * 100, "text", "", "\\ud800")
NO_NUMBERS = ("9" * 5000, "NaN", "-Infinity", "[1e999]", '{"metric": NaN}')


@pytest.mark.parametrize("text", [*NO_JSON, *NO_NUMBERS, "1" * (MAX_CHARACTERS + 1)])
def test_what_is_no_sensible_json_stays_text(text: str) -> None:
    assert parse(text) == text


@given(st.text() | st.text(st.sampled_from('[]{}":,1e9NaN-.')))
def test_whatever_is_read_can_be_written(text: str) -> None:
    json.dumps(parse(text), allow_nan=False)


def test_too_much_is_said() -> None:
    assert size_violations({"licence": "MIT"}) == []
    (said,) = size_violations({"metrics": "x" * 10**6})
    assert said == f"metrics has 1000000 characters in its metadata; at most {MAX_CHARACTERS} are taken"
    assert "has 1000 entries" in size_violations({str(number): "" for number in range(1000)})[0]
    assert len(size_violations({"k" * 10**6: ""})[0]) < 300


def test_a_librarys_text_becomes_one_line() -> None:
    assert one_line(ValueError("first\n  second\tthird")) == "first second third"
    assert len(one_line("x " * 10**6)) == MAX_LINE_CHARACTERS + 1
