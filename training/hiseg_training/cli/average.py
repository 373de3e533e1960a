"""``hiseg-train average``: one checkpoint with the mean of several checkpoints' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import expand_patterns


def average(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="CHECKPOINT...",
            help="two or more, of one configuration, or patterns; who is named twice counts twice",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="the checkpoint to write", metavar="FILE")],
) -> None:
    """Write the mean of checkpoints' weights, as of runs that began from the same ones."""
    from hiseg_training.engine.averaging import load_average
    from hiseg_training.engine.checkpoints import save_checkpoint

    with cli_errors():
        found = [path for given in checkpoints for path in expand_patterns([given], "checkpoints")]
        if len(found) < 2:
            raise ValueError(f"checkpoints: {len(found)} were given; a mean takes 2 or more")
        save_checkpoint(output, load_average(found), {"mean_of": [path.name for path in found]})
        typer.echo(f"{output}: the mean of {len(found)} checkpoints' weights")
