"""Numbers in texts are read by one rule."""

from __future__ import annotations

import pytest

from hiseg.core.decimals import number_in


@pytest.mark.parametrize(
    ("text", "number"),
    [("101", 101), (" -1 ", -1), ("1.5", 1.5), ("1e3", 1000.0), ("b0", "b0"), ("1_0", "1_0"), ("", "")],
)
def test_a_text_that_is_a_number(text: str, number: object) -> None:
    found = number_in(text)
    assert found == number
    assert type(found) is type(number)
