"""Values of a request become a validated model, or one error that names the field at fault."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hiseg.core.decimals import number_in
from hiseg.core.errors import InvalidRequest, TooLarge, shorten

M = TypeVar("M", bound=BaseModel)
WORDS = {
    "dict_type": "it should be an object",
    "model_type": "it should be an object",
    "list_type": "it should be a list",
    "string_type": "it should be a text",
    "missing": "it is missing",
    "float_type": "it should be a number",
    "float_parsing": "it should be a number",
    "finite_number": "it should be a finite number",
    "int_type": "it should be a whole number",
    "int_parsing": "it should be a whole number",
    "int_from_float": "it should be a whole number",
    "bool_type": "it should be true or false",
    "bool_parsing": "it should be true or false",
    "string_too_short": "it is empty",
}
"""What is said of some kinds of errors; pydantic speaks of Python there. It is plain enough about the others."""
SUBJECT = re.compile(r"(Input|String|List|Value) should")
MEANT = {
    "bbox": "boxes",
    "bboxes": "boxes",
    "rois": "boxes",
    "conf": "threshold",
    "confidence": "threshold",
    "modelname": "model",
    "format": "mask_format",
    "outputformat": "mask_format",
    "timeout": "deadline_ms",
    "timeoutms": "deadline_ms",
    "deadline": "deadline_ms",
    "dilate": "dilation_px",
    "smooth": "smoothing",
    "normalised": "normalized",
    "relative": "normalized",
    "bboxformat": "box_format",
    "file": "image",
    "files": "image",
    "img": "image",
    "imagefile": "image",
    "photo": "image",
    "picture": "image",
}
"""What options are called by other services, in small letters and nothing else, and what they are called here."""


def read_values(model: type[M], values: Mapping[str, object]) -> M:
    """Validate values of a request that didn't come as JSON, such as those of a query.

    Raises:
        InvalidRequest: they are not valid for the model.
        TooLarge: a list is longer than the model takes.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise to_hiseg_error(error, model.model_fields) from error


def to_hiseg_error(error: ValidationError, names: Collection[str] = ()) -> InvalidRequest | TooLarge:
    """The first error that pydantic found, with the field, the limit and the value at fault.

    All errors are written for it, so what is validated has to be small, or its lists have to fail at the first one.

    Args:
        error: pydantic's.
        names: the names that there are, for an error about one that there isn't.
    """
    first: Any = error.errors(include_url=False)[0]
    field = "request"
    for part in first["loc"]:
        field = f"{field}[{part}]" if isinstance(part, int) else shorten(str(part))
    context = first.get("ctx", {})
    if first["type"] == "too_long":
        limit = context["max_length"]
        return TooLarge(f"{field}: more than {limit} items", field=field, limit=limit, value=context["actual_length"])
    value: object = "null" if first["input"] is None else first["input"]
    if first["type"] == "extra_forbidden":
        return unknown_name(str(first["loc"][-1]), names, value)
    bounds = {"ge", "gt", "le", "lt", "max_length"} & set(context)
    limit = context[bounds.pop()] if bounds else None
    if isinstance(value, str) and isinstance(limit, int | float) and "max_length" not in context:
        value = number_in(value)  # a query has texts; what is over a limit is a number
    if first["type"] in ("missing", "json_invalid"):
        value = None  # pydantic shows everything around what is missing, and all of what isn't JSON
    return InvalidRequest(f"{field}: {_say(first)}", field=field, limit=limit, value=value)


def _say(error: Mapping[str, Any]) -> str:
    """What is wrong, in our words."""
    if error["type"] == "list_type" and error["loc"][0] == "boxes":
        return "it should be a list of rows" if len(error["loc"]) == 1 else "it should be a row, [x1, y1, x2, y2]"
    if error["type"] in ("enum", "literal_error"):
        return f"it should be {error['ctx']['expected']}"
    if error["type"] == "json_invalid":
        return f"the JSON is malformed: {error['ctx']['error']}"
    return WORDS.get(error["type"]) or SUBJECT.sub("it should", error["msg"].removeprefix("Value error, "))


def unknown_name(name: str, names: Collection[str], value: object = None) -> InvalidRequest:
    """The error of a name that there isn't, with the one that was probably meant.

    Args:
        name: the name.
        names: those that there are.
        value: what was sent under it.
    """
    meant = find_meant(name, names)
    hint = f"; did you mean {meant!r}?" if meant else ""
    known = sorted(names) or None
    return InvalidRequest(f"{shorten(name)}: there is no such name{hint}", field=name, limit=known, value=value)


def find_meant(name: str, names: Collection[str]) -> str | None:
    """Which of the names was probably meant with another one; None: nothing resembles it."""
    plain = re.sub("[^a-z0-9]", "", name[:80].lower())
    by_plain = {each.replace("_", ""): each for each in names}
    if plain in by_plain:
        return by_plain[plain]
    if MEANT.get(plain) in names:
        return MEANT[plain]
    found = difflib.get_close_matches(plain, by_plain, 1, 0.75)
    return by_plain[found[0]] if found else None
