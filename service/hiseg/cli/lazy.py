"""Commands that are imported only when they are called: `--help`, `--version` and completion shall come at once.

A program knows of each of its commands no more than where it is and what it is for. ``hiseg-train`` uses this too.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from hiseg.cli.help_texts import plain
from hiseg.core.extras import CPU, SERVICE, ExtraMissing, extra_for, joined, missing_extra
from hiseg.core.version import hiseg_version

MISSING = 2
"""Exit code of a command whose packages aren't installed, as of one that can't start."""


class Place(NamedTuple):
    """Where a command is, and what it is for.

    Attributes:
        module: in which the function, or the ``typer.Typer``, has the command's name, with ``_`` for ``-``.
        summary: its line in the list of commands: how its own help begins.
        extras: extras that it needs, for all that it can do; empty: those of its program.
    """

    module: str
    summary: str
    extras: tuple[str, ...] = ()


class LazyCommand(TyperCommand):
    """Stands for a command in the list of commands, and imports it when it is called.

    Args:
        name: the command's.
        place: where it is.
    """

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, help=place.summary)
        self._place = place

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the arguments as the command itself does; the context leads to that, so nothing else comes by here."""
        assert self.name is not None
        try:
            return load(self._place.module, self.name).make_context(info_name, args, parent, **extra)
        except typer.BadParameter as error:
            # pydantic's words, by which Typer reads options
            error.message = error.message.removeprefix("Value error, ")
            raise
        except ImportError:
            if extra.get("resilient_parsing"):  # by completion, into which nothing may be written
                return super().make_context(info_name, args, parent, **extra)
            raise


class LazyGroup(TyperGroup):
    """The commands of a program; each program has a subclass that names them."""

    places: ClassVar[Mapping[str, Place]] = {}
    """The commands by name, in the order in which they are listed."""
    extras: ClassVar[tuple[str, ...]] = (CPU,)
    """Extras that commands of the program need which name none."""

    def __init__(self, **attributes: Any) -> None:
        commands = {name: LazyCommand(name, place) for name, place in self.places.items()}
        super().__init__(**attributes | {"commands": commands})

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the options before the command."""
        plain(self)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run a command; where it needs packages that aren't installed, say in a sentence which extra has them."""
        try:
            return super().invoke(ctx)
        except ExtraMissing as error:
            typer.echo(f"{ctx.command_path}: {error}", err=True)
            raise typer.Exit(MISSING) from error
        except ModuleNotFoundError as error:
            extra = extra_for(error.name or "")
            if extra is None:
                raise
            # All of them at once: whoever installs one after the other meets the next sentence after each.
            extras = self.places[ctx.invoked_subcommand].extras or self.extras
            if extra not in (CPU, SERVICE):  # what the service needs comes with each of them
                extras = (*extras, extra)
            typer.echo(missing_extra(f"{ctx.command_path} {ctx.invoked_subcommand}", joined(*extras)), err=True)
            raise typer.Exit(MISSING) from error


def load(module: str, name: str) -> Any:
    """Import a command, which is a function or, if it has commands of its own, a ``typer.Typer``; make it Click's."""
    found = getattr(import_module(module), name.replace("-", "_"))
    if not isinstance(found, typer.Typer):
        command, found = found, typer.Typer(add_completion=False)
        found.command(name)(command)
    made = typer.main.get_command(found)
    plain(made)
    return made


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"hiseg {hiseg_version()}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", "-V", callback=_show_version, is_eager=True, help="Show the version and exit.")
]
"""An option of a program itself."""
