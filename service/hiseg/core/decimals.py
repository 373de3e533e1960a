"""Decimal numbers in texts, as everybody writes them: requests, options of commands and the client go by one rule.

Python reads ``1_1``, ``nan`` and digits of other scripts too. Nobody means them.
"""

from __future__ import annotations

import re

NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def parse_number(text: str) -> float:
    """Read a decimal number, with blanks around it or none; it is infinite if it is too large.

    Raises:
        ValueError: it is none.
    """
    if not NUMBER.fullmatch(text):
        raise ValueError("it should be a number")
    return float(text)


def number_in(text: str) -> float | str:
    """The decimal number that a text is, whole where it has no point and no exponent; or the text, if it is none."""
    if not NUMBER.fullmatch(text):
        return text
    return int(text) if text.strip().lstrip("+-").isdecimal() else float(text)
