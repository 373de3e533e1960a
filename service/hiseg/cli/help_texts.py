"""How options and arguments look in ``--help``: in people's words, where Typer would show Python's types.

An option whose default is that of a setting, or is found out when the command runs, says so in words: the argument
``show_default`` of ``typer.Option``.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Any, get_args

import typer
from typer.core import TyperArgument, TyperOption

PATHS = {"file": "FILE", "dir": "FOLDER", "path": "PATH"}
"""Words for Typer's kinds of paths."""
LONGEST_CHOICES = 24
"""Most characters of choices that are listed beside an option; longer lists stand in its help."""


def range_of(least: float | None, most: float | None) -> str:
    """The word for a number: its range, such as ``0..1`` or ``1..``, or NUMBER where there is none."""
    if least is None and most is None:
        return "NUMBER"
    return "..".join("" if bound is None else f"{bound:g}" for bound in (least, most))


class InWords:
    """A default that ``--help`` shows in words: Click shows a callable default as text, and calls it for the value.

    Args:
        words: what is shown.
        default: the default, or what makes it.
    """

    def __init__(self, words: str, default: object) -> None:
        self._words = words
        self._default = default

    def __str__(self) -> str:
        return self._words

    def __call__(self) -> object:
        return self._default() if callable(self._default) else self._default


class PlainArgument(TyperArgument):
    """An argument that is shown by its name alone: ``PHOTO``, where Typer has ``{photo}`` and ``<file>``."""

    @classmethod
    def of(cls, argument: TyperArgument) -> PlainArgument:
        """Return a copy of an argument that is shown so."""
        made = cls.__new__(cls)
        made.__dict__ |= argument.__dict__
        made.metavar = argument.metavar or argument.name.upper()
        return made

    def display_type_rich(self, ctx: Any) -> str | None:
        return None

    def get_usage_pieces(self, ctx: Any) -> list[str]:
        if self.hidden:
            return []
        name = f"{self.metavar}..." if self.nargs != 1 else str(self.metavar)
        return [name if self.required else f"[{name}]"]


def plain(command: Any) -> None:
    """Let a command, and those that it has, show its options and arguments in plain words; twice is as once."""
    for index, parameter in enumerate([*command.params, command.get_help_option(typer.Context(command))]):
        if not isinstance(parameter, TyperOption | TyperArgument):
            continue
        _show_choices(parameter)
        if isinstance(parameter.show_default, str):
            # Typer would put them in brackets of their own.
            parameter.default = InWords(parameter.show_default, parameter.default)
            parameter.show_default = True
        if isinstance(parameter, TyperArgument):
            command.params[index] = PlainArgument.of(parameter)
        elif parameter.metavar is None:
            parameter.metavar = _metavar(parameter)
            parameter.min = parameter.max = None  # the metavar says it
    for each in getattr(command, "commands", {}).values():
        plain(each)


def _show_choices(parameter: TyperOption | TyperArgument) -> None:
    """Let an option have its choices as its metavar, or in its help where they are many."""
    choices = parameter.type_descriptor.choices
    if choices is None or parameter.metavar is not None:
        return
    words = [str(choice.value if isinstance(choice, Enum) else choice) for choice in choices]
    if isinstance(parameter, TyperOption) and len("|".join(words)) <= LONGEST_CHOICES:
        parameter.metavar = "|".join(words)
        return
    parameter.help = f"{parameter.help or 'one of these'}: {', '.join(words)}"
    if isinstance(parameter, TyperOption):
        parameter.metavar = "NAME"


def _metavar(option: TyperOption) -> str:
    """The word for an option's value; none for a flag, which has no value."""
    descriptor = option.type_descriptor
    if option.is_flag:
        return ""
    if descriptor.is_path:
        return PATHS[descriptor.path_type]
    kind = get_args(descriptor.annotation)[0] if descriptor.is_list else descriptor.annotation
    if kind not in (int, float):
        return "PATH" if kind is Path else "TEXT"
    return range_of(option.min, option.max)
