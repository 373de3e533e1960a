"""What is wrong with settings that are refused, one sentence each, for the doctor and for every command."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from hiseg.core.errors import shorten
from hiseg.core.settings_sources import EMPTY, UnreadableFile
from hiseg.settings import FILE, PREFIX, Settings

SECRETS = ("api_keys",)
"""Settings whose values aren't shown: a key may have been written where its digest belongs."""
OPTIONS = {"model_repository": "--repository"}
"""Options that have another name than their setting."""
KEY_FORMAT = "an API key is listed as NAME:SHA256, with 64 hexadecimal digits; `hiseg key NAME` makes one"


def explain(
    error: ValidationError | UnreadableFile, options: Collection[str] = (), names: Mapping[str, str] = OPTIONS
) -> list[str]:
    """Say what is wrong, one sentence for each setting at fault.

    Args:
        error: why the settings are refused.
        options: names of the settings that were given as options of the command.
        names: what options are called that aren't called as their settings are.
    """
    if isinstance(error, UnreadableFile):
        return [str(error)]
    return list(_sentences(error, options, names))


def _sentences(error: ValidationError, options: Collection[str], names: Mapping[str, str]) -> Iterator[str]:
    for problem in error.errors():
        name, *rest = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
        where = f"{name} ({_source(name, options, names)})"
        if problem["type"] == "extra_forbidden":
            yield _unknown(name)
        elif not name:
            yield problem["msg"].removeprefix("Value error, ")
        elif problem["input"] is EMPTY:
            yield f"{where} is empty; give it a value, or leave it out for its default"
        elif name in SECRETS:
            entry = f": entry {int(rest[0]) + 1}" if rest and rest[0].isdecimal() else ""
            yield f"{where}{entry}: {KEY_FORMAT}"
        else:
            yield f"{where}: {shorten(_written(problem['input']))} {_fault(problem)}"


def _written(value: object) -> str:
    """A value as its user wrote it: numbers as they are, and anything else in quotation marks."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else repr(str(value))


def _fault(problem: ErrorDetails) -> str:
    """The end of the sentence that begins with a value."""
    limits = problem.get("ctx", {})
    match problem["type"]:
        case "int_parsing" | "int_from_float" | "int_type":
            return "is no whole number"
        case "float_parsing" | "float_type" | "finite_number":
            return "is no number"
        case "bool_parsing" | "bool_type":
            return "is neither true nor false"
        case "greater_than":
            return f"is not over {limits['gt']}"
        case "greater_than_equal":
            return f"is under {limits['ge']}"
        case "less_than_equal" | "int_parsing_size":
            return f"is over {limits['le']}" if "le" in limits else "is too large"
        case "enum":
            return f"is not {limits['expected']}"
        case "string_type" | "string_unicode" | "path_type":
            return "is no text"
        case "tuple_type":
            return "is no list"
        case _:
            return f"won't do: {problem['msg'].removeprefix('Value error, ')}"


def _unknown(name: str) -> str:
    """Say that there is no such setting, and which was probably meant."""
    is_variable = name.startswith(PREFIX) and name in os.environ  # in the file names have no prefix
    setting = name.removeprefix(PREFIX).lower()
    near = get_close_matches(setting, Settings.model_fields, n=1)
    meant = f"; did you mean {PREFIX + near[0].upper() if is_variable else near[0]}?" if near else ""
    return f"{shorten(name)}{'' if is_variable else f' ({FILE})'} is no setting{meant}"


def _source(name: str, options: Collection[str], names: Mapping[str, str]) -> str:
    """Name the option, the variable or the file that a setting was given by."""
    if name in options:
        return names.get(name, f"--{name.replace('_', '-')}")
    variable = PREFIX + name.upper()
    return variable if variable in os.environ else FILE
