"""Numbers of requests are numbers, whichever way they come: pydantic takes true for 1, and ``1_1`` for 11."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, Strict
from pydantic_core import PydanticCustomError

from hiseg.core.decimals import NUMBER


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
