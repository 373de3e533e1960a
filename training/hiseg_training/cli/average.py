"""``hiseg-train average``: one checkpoint with the mean of several checkpoints' weights."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli.errors import cli_errors


def average(
    checkpoints: Annotated[
        list[Path], typer.Argument(metavar="CHECKPOINT...", help="two or more, of one configuration")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="the checkpoint to write", metavar="FILE")],
) -> None:
    """Write the mean of checkpoints' weights, as of runs that began from the same ones."""
    from hiseg_training.engine.averaging import load_average
    from hiseg_training.engine.checkpoints import save_checkpoint

    with cli_errors():
        if len(checkpoints) < 2:
            raise ValueError(f"checkpoints: {len(checkpoints)} were given; a mean takes 2 or more")
        save_checkpoint(output, load_average(checkpoints), {"mean_of": [path.name for path in checkpoints]})
        typer.echo(f"{output}: the mean of {len(checkpoints)} checkpoints' weights")
