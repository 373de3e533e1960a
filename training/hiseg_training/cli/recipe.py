"""``hiseg-train recipe``: run the steps of a recipe, resuming after interruptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Set


def recipe(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="such as training/hiseg_training/recipes/b0.toml")
    ],
    output: Annotated[Path, typer.Option(help="folder of its runs; what is done there is kept", metavar="FOLDER")],
    set: Set = [],  # noqa: B006
    list: Annotated[bool, typer.Option("--list", help="only print the commands")] = False,
) -> None:
    """Follow a recipe step by step; the same command again goes on where it was interrupted."""
    from hiseg_training.config.overrides import parse
    from hiseg_training.recipes.follow import command, follow, shell_command, table
    from hiseg_training.recipes.plan import read_plan

    with cli_errors():
        plan = read_plan(file, parse(set))
        if list:
            for step in plan.step:
                typer.echo(shell_command(step, command(plan, step, output)))
            return
        output.mkdir(parents=True, exist_ok=True)
        typer.echo(table(plan, follow(plan, output, typer.echo)))
