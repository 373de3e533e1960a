"""Values that people write by hand, on a command line or into a TOML file: read whole, or refused by name.

A command line changes single values of a configuration by dotted key: ``schedule.learning_rate=1e-5``.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from hiseg_training.config.run import Configuration, Record

RecordType = TypeVar("RecordType", bound=Record)


class OverrideError(ValueError):
    """A key that doesn't exist, or a value that its field doesn't take; the message names the field."""


class TomlError(ValueError):
    """A file that isn't TOML, or has other fields or values; the message names the file, the field and its value."""


def parse(assignments: Iterable[str]) -> dict[str, Any]:
    """Parse ``key=value`` texts into values by dotted key; a value is JSON, or text where it isn't valid JSON.

    Raises:
        OverrideError: a text has no ``=``.
    """
    values: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise OverrideError(f"set: {assignment!r} is not KEY=VALUE, such as schedule.epochs=10")
        try:
            values[key] = json.loads(value)
        except json.JSONDecodeError:
            values[key] = value
    return values


def override(configuration: Configuration, values: Mapping[str, Any]) -> Configuration:
    """A copy of a configuration with some values changed.

    Args:
        configuration: to start from.
        values: by dotted path to a field.

    Raises:
        OverrideError: a key doesn't exist, or a value doesn't fit its field.
    """
    content = configuration.model_dump(mode="json")
    for key, value in values.items():
        *path, field = key.split(".")
        inner: Any = content
        for part in path:
            inner = inner.get(part) if isinstance(inner, dict) else None
        if not isinstance(inner, dict) or field not in inner or isinstance(inner[field], dict):
            near = difflib.get_close_matches(key, sorted(keys(content)), n=3, cutoff=0.4)
            raise OverrideError(f"{key}: there is no such value" + (f"; there is {', '.join(near)}" if near else ""))
        inner[field] = value
    return read(content)


def read(content: dict[str, Any]) -> Configuration:
    """Validate a configuration as JSON or a checkpoint holds it.

    Raises:
        OverrideError: a value doesn't fit its field.
    """
    try:
        return Configuration.model_validate(content)
    except ValidationError as error:
        texts = [f"{'.'.join(map(str, e['loc']))}: {e['input']!r}: {e['msg']}" for e in error.errors()]
        raise OverrideError("; ".join(texts)) from error


def keys(content: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """Dotted keys of all values in nested dictionaries that aren't dictionaries themselves."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def read_toml(path: Path, kind: type[RecordType]) -> RecordType:
    """Read a TOML file into a record of type ``kind``.

    Raises:
        FileNotFoundError: the file doesn't exist.
        TomlError: it isn't TOML, or has other fields or values.
    """
    try:
        return kind.model_validate(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"{path}: {error}") from error
    except ValidationError as error:
        raise TomlError(f"{path}: {'; '.join(_invalid_fields(error))}") from error


def _invalid_fields(error: ValidationError) -> Iterator[str]:
    for fault in error.errors(include_url=False):
        field = ".".join(str(part) for part in fault["loc"])
        yield f"{field}: {fault['msg']}, not {json.dumps(fault['input'], default=str)[:80]}"
