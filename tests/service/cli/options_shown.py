"""Walks over the options of a program, and says which of them keep their defaults to themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from hiseg.cli.lazy import Place, load


def parameters(places: Mapping[str, Place], program: str) -> Iterator[tuple[str, TyperOption | TyperArgument, Any]]:
    """All options and arguments of all commands: where each is, itself, and the context of its command."""
    for name, (module, _, _) in places.items():
        yield from _of(load(module, name), f"{program} {name}")


def _of(command: Any, path: str) -> Iterator[tuple[str, TyperOption | TyperArgument, Any]]:
    context = typer.Context(command, info_name=path)
    for parameter in command.get_params(context):
        assert isinstance(parameter, TyperOption | TyperArgument)
        yield f"{path} {parameter.opts[0]}", parameter, context
    if isinstance(command, TyperGroup):
        for name, each in command.commands.items():
            yield from _of(each, f"{path} {name}")


def silent(places: Mapping[str, Place], program: str) -> list[str]:
    """Options and arguments that are neither flags nor required, and show no default in ``--help``."""
    found = []
    for path, parameter, context in parameters(places, program):
        record = parameter.get_help_record(context)
        is_flag = isinstance(parameter, TyperOption) and parameter.is_flag
        if record and not is_flag and not parameter.required and "default: " not in record[1]:
            found.append(path)
    return found


def ugly(places: Mapping[str, Place], program: str) -> list[str]:
    """Options and arguments that are shown with a type of Python's, or without a word about what they are."""
    found = []
    for path, parameter, context in parameters(places, program):
        record = parameter.get_help_record(context)
        if record and ("<" in record[0] or "[" in record[0] or not parameter.help):
            found.append(path)
    return found
