"""``hiseg-train``: train a stage, measure a model, publish it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hiseg_training.cli import export as exporting
from hiseg_training.cli.configs import configs
from hiseg_training.cli.data import app as data_commands
from hiseg_training.cli.distill import distill
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.export_filter import app as export_filter
from hiseg_training.cli.predict import predict
from hiseg_training.cli.pretrain import pretrain
from hiseg_training.cli.recipe import recipe
from hiseg_training.cli.tensorrt import tensorrt
from hiseg_training.cli.train import train
from hiseg_training.cli.validate import validate
from hiseg_training.compat.names import BOTH_SPELLINGS
from hiseg_training.data.coco import data_root, read_split
from hiseg_training.evaluation.baselines import BASELINES
from hiseg_training.evaluation.evaluate import evaluate
from hiseg_training.export.install import check_version_is_free, next_version
from hiseg_training.export.precision import Precision
from hiseg_training.export.provenance import read_provenance
from hiseg_training.export.publish import publish as publish_model

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    context_settings=BOTH_SPELLINGS,
    help="Train, measure and publish models.",
)
for command in (configs, pretrain, distill, train, recipe, validate, predict):
    app.command()(command)
for command in (exporting.export, exporting.export_unet, exporting.optimize, tensorrt):
    app.command()(command)
app.add_typer(data_commands, name="data")
app.add_typer(export_filter, name="export-filter")
Data = Annotated[Path, typer.Option(default_factory=data_root, help="folder with annotations/ and images/")]


@app.command()
def baselines(data: Data, split: Annotated[str, typer.Option(help="val or ood")] = "val") -> None:
    """Mean IoU per person of the whole box, the ellipse in it, and GrabCut."""
    photos = read_split(data, split)
    typer.echo(json.dumps({name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()}, indent=2))


@app.command()
def publish(
    source: Annotated[Path, typer.Argument(metavar="CHECKPOINT", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="the model's name, e.g. hiseg_b0")],
    data: Data,
    repository: Path = Path("model_repository"),
    version: Annotated[int | None, typer.Option(min=1, help="one more than the newest if left out")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="take the place of a version of that number")] = False,
    precision: Annotated[Precision | None, typer.Option(help="of a checkpoint's export; fp32 if left out")] = None,
    provenance: exporting.Origin = None,
) -> None:
    """Export a checkpoint or take an exported .onnx, measure it, and put it into a repository that may be served."""
    number = version or next_version(repository, name)
    with cli_errors():
        check_version_is_free(repository, name, number, replace)
        origin = read_provenance(provenance)
        metrics = publish_model(source, repository, name, number, data, replace, precision, origin)
    for split, quality in metrics["quality"].items():
        typer.echo(f"{split}: mean IoU {quality['ground truth boxes']['all']:.4f}")
    typer.echo(f"wrote {repository / name / str(number)}")
