"""Values of a request become a validated model, or one error that names the field at fault."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hiseg.core.errors import InvalidRequest, TooLarge, shorten

M = TypeVar("M", bound=BaseModel)
WORDS = {
    "extra_forbidden": "there is no such name",
    "dict_type": "it should be an object",
    "model_type": "it should be an object",
    "list_type": "it should be a list",
    "string_type": "it should be a text",
    "missing": "it is missing",
    "float_type": "it should be a number",
    "finite_number": "it should be a finite number",
    "int_type": "it should be a whole number",
    "int_parsing": "it should be a whole number",
    "int_from_float": "it should be a whole number",
}
"""What is said of some kinds of errors; pydantic speaks of Python there. It is plain enough about the others."""


def read_values(model: type[M], values: Mapping[str, object]) -> M:
    """Validate values of a request that didn't come as JSON, such as those of a query.

    Raises:
        InvalidRequest: they are not valid for the model.
        TooLarge: a list is longer than the model takes.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise to_hiseg_error(error) from error


def to_hiseg_error(error: ValidationError) -> InvalidRequest | TooLarge:
    """The first error that pydantic found, with the field, the limit and the value at fault.

    All errors are written for it, so what is validated has to be small, or its lists have to fail at the first one.
    """
    first: Any = error.errors(include_url=False)[0]
    field = "request"
    for part in first["loc"]:
        field = f"{field}[{part}]" if isinstance(part, int) else shorten(str(part))
    context = first.get("ctx", {})
    if first["type"] == "too_long":
        limit = context["max_length"]
        return TooLarge(f"{field}: more than {limit} items", field=field, limit=limit, value=context["actual_length"])
    bounds = {"ge", "gt", "le", "lt", "max_length"} & set(context)
    limit = context[bounds.pop()] if bounds else None
    value: object = "null" if first["input"] is None else first["input"]
    if first["type"] in ("missing", "json_invalid"):
        value = None  # pydantic shows everything around what is missing, and all of what isn't JSON
    return InvalidRequest(f"{field}: {WORDS.get(first['type'], first['msg'])}", field=field, limit=limit, value=value)
