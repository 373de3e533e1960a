"""Numbers, flags and ids are read as they are plainly meant, however they are written."""

from __future__ import annotations

from typing import Any

import pytest

from hiseg.core.fields import Unclear, flag, identifier, number, whole_number

JUNK: list[Any] = [[], {}, [1], "x", "1_1", "４", "1,5", float("nan"), float("inf"), "nan", 10**400]


@pytest.mark.parametrize(("value", "meant"), [(2, 2.0), (2.5, 2.5), ("2.5", 2.5), (" 7 ", 7.0), ("-1e2", -100.0)])
def test_numbers(value: Any, meant: float) -> None:
    assert number(value) == meant


@pytest.mark.parametrize("value", [*JUNK, None, True, False, ""])
def test_what_is_no_number(value: Any) -> None:
    for read in (number, whole_number):
        with pytest.raises(Unclear, match="no number"):
            read(value)


def test_whole_numbers() -> None:
    assert [whole_number(value) for value in (480, 480.0, "480", "480.0")] == [480] * 4
    with pytest.raises(Unclear, match=r"is 480\.5, which is no whole number"):
        whole_number(480.5)


@pytest.mark.parametrize("value", [0, 0.0, "0", "0.0", False, "false", "False", None, "", "no"])
def test_flags_that_are_not_set(value: Any) -> None:
    assert flag(value) is False


@pytest.mark.parametrize("value", [1, 1.0, "1", "1.0", True, "true", "TRUE", " yes "])
def test_flags_that_are_set(value: Any) -> None:
    assert flag(value) is True


@pytest.mark.parametrize("value", [2, -1, "2", "crowd", [], {}, float("nan")])
def test_what_is_no_flag(value: Any) -> None:
    with pytest.raises(Unclear, match="neither 0 nor 1"):
        flag(value)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *(
            (7, 7),
            (7.0, 7),
            ("7", 7),
            (" 7 ", 7),
            ("7.0", 7),
            (-1, -1),
            (0, 0),
            ("12345678901234567", 12345678901234567),
        ),
        *(("007", "007"), ("x82", "x82"), ("1e3", "1e3"), ("3f2a-9c", "3f2a-9c"), ("人", "人"), ("-0", "-0")),
    ],
)
def test_ids_that_are_equal_compare_equal(value: Any, meant: Any) -> None:
    assert identifier(value) == meant
    assert type(identifier(value)) is type(meant)


@pytest.mark.parametrize("value", [None, True, "", " ", 1.5, [], {}, float("nan"), float("inf")])
def test_what_is_no_id(value: Any) -> None:
    with pytest.raises(Unclear, match="no id"):
        identifier(value)
