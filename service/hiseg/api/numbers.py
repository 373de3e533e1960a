"""Numbers of requests are written as everybody writes them, whichever way they come.

Python reads ``1_1`` and digits of other scripts too, and takes true for 1; pydantic takes some of that. Nobody means
it.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def parse_number(text: str) -> float:
    """Read a decimal number, with blanks around it or none; it is infinite if it is too large.

    Raises:
        ValueError: it is none.
    """
    if not NUMBER.fullmatch(text):
        raise ValueError("it should be a number")
    return float(text)


def as_number(value: object) -> object:
    """A value for a field that is a number, before pydantic reads it; other kinds than texts and bool are left to it.

    Raises:
        PydanticCustomError: true, false, or a text that is no decimal number.
    """
    if isinstance(value, bool) or (isinstance(value, str) and not NUMBER.fullmatch(value)):
        raise PydanticCustomError("number", "it should be a number")
    return value


def _as_row(value: object) -> object:
    """A row of JSON with the texts in it that are decimal numbers read; the others are left for their error."""
    if isinstance(value, list) and any(type(item) is str for item in value):
        return [float(item) if type(item) is str and NUMBER.fullmatch(item) else item for item in value]
    return value


Row = Annotated[list[Annotated[float, Strict()]], Field(fail_fast=True), BeforeValidator(_as_row)]
"""A row of numbers in JSON."""
