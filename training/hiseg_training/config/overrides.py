"""Single values changed by hand, by dotted key: ``schedule.learning_rate=1e-5``."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from hiseg_training.config.run import Configuration


class OverrideError(ValueError):
    """A key that there isn't, or a value that its field doesn't take; the text names the field."""


def parse(assignments: Iterable[str]) -> dict[str, Any]:
    """``key=value`` texts; values are JSON, or text where they aren't.

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
    """A configuration with some values changed; keys are dotted paths to fields.

    Raises:
        OverrideError: see there.
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
    """The configuration in what JSON or a checkpoint holds.

    Raises:
        OverrideError: a value doesn't fit its field.
    """
    try:
        return Configuration.model_validate(content)
    except ValidationError as error:
        texts = [f"{'.'.join(map(str, e['loc']))}: {e['input']!r}: {e['msg']}" for e in error.errors()]
        raise OverrideError("; ".join(texts)) from error


def keys(content: Mapping[str, Any], prefix: str = "") -> Iterable[str]:
    """Dotted keys of all single values."""
    for name, value in content.items():
        if isinstance(value, dict):
            yield from keys(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"
