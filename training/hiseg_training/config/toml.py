"""Files that people write by hand are read whole or refused by name: TOML into a record."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from hiseg_training.config.run import Record

Read = TypeVar("Read", bound=Record)


class TomlError(ValueError):
    """A file that isn't what it should be; the text names the file, the field and its value."""


def read_toml(path: Path, kind: type[Read]) -> Read:
    """The record in a file.

    Raises:
        FileNotFoundError: if it isn't there.
        TomlError: it isn't TOML, or has other fields or values.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"{path}: {error}") from error
    except ValidationError as error:
        raise TomlError(f"{path}: {'; '.join(_faults(error))}") from error


def _faults(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        where = ".".join(str(part) for part in fault["loc"])
        yield f"{where}: {fault['msg']}, not {json.dumps(fault['input'], default=str)[:80]}"
