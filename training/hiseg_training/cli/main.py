"""``hiseg-train``: every command of it, each in a module of its own."""

from __future__ import annotations

from collections.abc import Callable

import typer

from hiseg_training.cli.baselines import baselines
from hiseg_training.cli.configs import configs
from hiseg_training.cli.data import app as data_commands
from hiseg_training.cli.export import export, export_unet, optimize
from hiseg_training.cli.export_filter import app as export_filter
from hiseg_training.cli.predict import predict
from hiseg_training.cli.publish import publish
from hiseg_training.cli.recipe import recipe
from hiseg_training.cli.stages import distill, pretrain, train
from hiseg_training.cli.tensorrt import tensorrt
from hiseg_training.cli.validate import validate
from hiseg_training.compat.names import BOTH_SPELLINGS

COMMANDS: tuple[Callable[..., None], ...] = (
    *(configs, pretrain, distill, train, recipe, validate, predict),
    *(export, export_unet, optimize, tensorrt, baselines, publish),
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings=BOTH_SPELLINGS,
    help="Train, measure and publish models.",
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(data_commands, name="data")
app.add_typer(export_filter, name="export-filter")
