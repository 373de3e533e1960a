"""Numbers of the command line are written as those of requests are; Typer takes what Python does: ``1_0``, ``nan``."""

from __future__ import annotations

from functools import partial
from typing import Any

import typer

from hiseg.cli.help_texts import range_of
from hiseg.core.decimals import parse_number


def number(
    help: str,
    *,
    min: float | None = None,
    max: float | None = None,
    without_ends: bool = False,
    show_default: bool | str = True,
    panel: str | None = None,
) -> Any:
    """An option that is a decimal number.

    Args:
        help: what it means.
        min: the least that it may be; None: any.
        max: the most that it may be; None: any.
        without_ends: it must be more than ``min`` and less than ``max``.
        show_default: the default in words, where it isn't that of the function.
        panel: the group of options in ``--help`` that it belongs to; None: the first.
    """
    parser = partial(_read, min=min, max=max, without_ends=without_ends)
    metavar = range_of(min, max)
    return typer.Option(help=help, parser=parser, metavar=metavar, show_default=show_default, rich_help_panel=panel)


def whole_number(
    help: str,
    *,
    min: int | None = None,
    max: int | None = None,
    show_default: bool | str = True,
    panel: str | None = None,
) -> Any:
    """An option that is a whole number; see :func:`number`."""
    parser = partial(_read_whole, min=min, max=max)
    metavar = range_of(min, max)
    return typer.Option(help=help, parser=parser, metavar=metavar, show_default=show_default, rich_help_panel=panel)


def _read(value: object, min: float | None, max: float | None, without_ends: bool = False) -> float:
    """Read a number as it was written, or the option's default.

    Raises:
        typer.BadParameter: it is none, or out of range.
    """
    if not isinstance(value, str):
        return value  # type: ignore[return-value]
    try:
        found = parse_number(value)
    except ValueError as error:
        raise typer.BadParameter(f"{value!r} is no number") from error
    if found in (float("inf"), float("-inf")):
        raise typer.BadParameter(f"{value!r} is too large to be computed with")
    if min is not None and found < min:
        raise typer.BadParameter(f"{value} is less than {min:g}")
    if max is not None and found > max:
        raise typer.BadParameter(f"{value} is more than {max:g}")
    if without_ends and found in (min, max):
        raise typer.BadParameter(f"{value} isn't between {min:g} and {max:g}, which are themselves left out")
    return found


def _read_whole(value: object, min: int | None, max: int | None) -> int:
    """Read a whole number as it was written, or the option's default.

    Raises:
        typer.BadParameter: it is none, or out of range.
    """
    found = _read(value, min, max)
    if isinstance(value, str) and ("e" in value.lower() or found != int(found)):
        raise typer.BadParameter(f"{value!r} is no whole number")
    return found if found is None else int(found)
