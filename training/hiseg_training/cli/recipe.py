"""``hiseg-train recipe``: run the steps of a recipe, resuming after interruptions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training import recipes
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import Set

OURS = {path.stem: path for path in sorted(Path(recipes.__file__).parent.glob("*.toml"))}
"""The recipes that come with this program, by name."""


def recipe(
    file: Annotated[str, typer.Argument(metavar="RECIPE", help=f"a TOML file, or one that is here: {', '.join(OURS)}")],
    output: Annotated[Path, typer.Option(help="folder of its runs; what is done there is kept", metavar="FOLDER")],
    set: Set = [],  # noqa: B006
    list: Annotated[bool, typer.Option("--list", help="only print the commands")] = False,
) -> None:
    """Follow a recipe step by step; the same command again goes on where it was interrupted."""
    from hiseg_training.config.overrides import parse
    from hiseg_training.recipes.follow import command, follow, shell_command, table
    from hiseg_training.recipes.plan import read_plan

    with cli_errors():
        if file not in OURS and not Path(file).is_file():
            raise FileNotFoundError(f"{file} is no file, and no recipe of this program's: {', '.join(OURS)}")
        plan = read_plan(OURS.get(file, Path(file)), parse(set))
        if list:
            for step in plan.step:
                typer.echo(shell_command(step, command(plan, step, output)))
            return
        output.mkdir(parents=True, exist_ok=True)
        typer.echo(table(plan, follow(plan, output, typer.echo)))
