"""``hiseg``: its commands, each of which is imported only when it is called.

``hiseg key`` shall not wait for FastAPI, nor ``hiseg models`` for the pydantic models of the service. So this module
knows of each command no more than where it is and what it is for.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

# gRPC's library reads it when it is loaded. Otherwise it writes a line to standard error for each connection that
# fails, not in the format of the log, and as often as a caller likes.
os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
COMMANDS = {
    "serve": ("hiseg.cli.serve", "Run the service."),
    "run": ("hiseg.cli.run", "Segment one photo; no server needed."),
    "models": ("hiseg.cli.models", "List the models of the repository, or check a file."),
    "key": ("hiseg.cli.keys", "Make an API key."),
    "bench": ("hiseg.cli.bench", "Load a running service and measure it."),
    "video": ("hiseg.cli.video", "Tint the people of a video; no server needed."),
    "doctor": ("hiseg.cli.doctor", "Look for what would keep the service from serving, and say what to mend."),
}
"""The module of each command, in which it has its own name, and its line in the list of commands."""


class LazyCommand(TyperCommand):
    """Stands for a command in the list of commands, and imports it when it is called.

    Args:
        name: the command's, and that of the function or the ``typer.Typer`` in its module.
        module: where it is.
        summary: one line about it.
    """

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name, help=summary)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse the arguments as the command itself does; the context leads to that, so nothing else comes by here."""
        assert self.name is not None
        try:
            return load(self._module, self.name).make_context(info_name, args, parent, **extra)
        except typer.BadParameter as error:
            # pydantic's words, by which Typer reads options
            error.message = error.message.removeprefix("Value error, ")
            raise


class LazyGroup(TyperGroup):
    """All of :data:`COMMANDS`."""

    def __init__(self, **attributes: Any) -> None:
        commands = {name: LazyCommand(name, module, summary) for name, (module, summary) in COMMANDS.items()}
        super().__init__(**attributes | {"commands": commands})


def load(module: str, name: str) -> Any:
    """Import a command, which is a function or, if it has commands of its own, a ``typer.Typer``; make it Click's."""
    found = getattr(import_module(module), name)
    if not isinstance(found, typer.Typer):
        command, found = found, typer.Typer(add_completion=False)
        found.command(name)(command)
    return typer.main.get_command(found)


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, add_completion=False)


@app.callback()
def main() -> None:
    """One mask per person."""
