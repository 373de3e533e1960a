"""What is wrong with settings that are refused, one sentence each, for the doctor and for every command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches

from pydantic import ValidationError

from hiseg.core.errors import shorten
from hiseg.core.settings_sources import EMPTY, UnreadableFile
from hiseg.settings import FILE, PREFIX, Settings

SECRETS = ("api_keys",)
"""Settings whose values aren't shown: a key may have been written where its digest belongs."""
KEY_FORMAT = "an API key is listed as NAME:SHA256, with 64 hexadecimal digits; `hiseg key NAME` makes one"


def explain(error: ValidationError | UnreadableFile) -> list[str]:
    """Say what is wrong, one sentence for each setting at fault."""
    if isinstance(error, UnreadableFile):
        return [str(error)]
    return list(_sentences(error))


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        name, *rest = (str(part) for part in problem["loc"]) if problem["loc"] else ("",)
        if problem["type"] == "extra_forbidden":
            yield _unknown(name)
        elif problem["input"] is EMPTY:
            yield f"{name}: {_source(name)} is empty; give it a value, or leave it out for its default"
        else:
            text = KEY_FORMAT if name in SECRETS else problem["msg"].removeprefix("Value error, ")
            entry = f"entry {int(rest[0]) + 1}: " if rest and rest[0].isdecimal() else ""
            value = "" if not name or name in SECRETS else f"; {_source(name)} is {shorten(repr(problem['input']))}"
            yield f"{name}: {entry}{text}{value}" if name else text


def _unknown(name: str) -> str:
    """Say that there is no such setting, and which was probably meant."""
    is_variable = name.startswith(PREFIX) and name in os.environ  # in the file names have no prefix
    setting = name.removeprefix(PREFIX).lower()
    near = get_close_matches(setting, Settings.model_fields, n=1)
    meant = f"; did you mean {PREFIX + near[0].upper() if is_variable else near[0]}?" if near else ""
    return f"{shorten(name)}{'' if is_variable else f' ({FILE})'} is no setting{meant}"


def _source(name: str) -> str:
    """Name the variable that a setting was given by; otherwise it was the file or an option."""
    variable = PREFIX + name.upper()
    return variable if variable in os.environ else "it"
