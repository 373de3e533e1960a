"""``hiseg-train``: train a stage, measure a model, publish it."""

from __future__ import annotations

import json
import math
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer

from training.baselines import BASELINES
from training.checkpoint import load_checkpoint
from training.config import ModelConfig
from training.data.coco import data_root, read_split
from training.evaluate import evaluate
from training.export.filters.command import app as export_filter
from training.models.hierarchical import HierarchicalModel
from training.publish import predictor
from training.publish import publish as publish_model
from training.stages.fit import Schedule, fit
from training.stages.objectives import STAGES

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Train, measure and publish models.")
app.add_typer(export_filter, name="export-filter")
Stage = StrEnum("Stage", {name: name for name in STAGES})  # type: ignore[misc]
Data = Annotated[Path, typer.Option(default_factory=data_root, help="folder with annotations/ and images/")]


@app.command()
def train(
    stage: Annotated[Stage, typer.Option(help="early, fine, coarse, joint: in this order")],
    output: Annotated[Path, typer.Option(help="folder for checkpoint.pt and log.jsonl")],
    data: Data,
    init: Annotated[Path | None, typer.Option(help="checkpoint to go on from; needed after the first stage")] = None,
    variant: Annotated[str, typer.Option(help="b0, b1 or b7; for the first stage")] = "b0",
    epochs: Annotated[int, typer.Option(min=1)] = 40,
    minutes: Annotated[float, typer.Option(help="end earlier, learning rate and all")] = math.inf,
    learning_rate: Annotated[float, typer.Option(min=0)] = 1e-3,
    seed: int = 0,
) -> None:
    """Train one stage."""
    torch.manual_seed(seed)
    model = load_checkpoint(init) if init else HierarchicalModel(ModelConfig(variant=variant))
    if stage.value == "coarse" and init:
        model.start_coarse_from_fine()
    schedule = Schedule(epochs=epochs, minutes=minutes, learning_rate=learning_rate, seed=seed)
    fit(model, read_split(data, "train"), stage.value, schedule, output)
    typer.echo(f"wrote {output / 'checkpoint.pt'}")


@app.command()
def validate(
    model: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="an exported .onnx file")],
    data: Data,
    split: Annotated[str, typer.Option(help="val or ood")] = "val",
    jitter: Annotated[float, typer.Option(help="move box edges by up to this share of the side", min=0, max=0.5)] = 0.0,
) -> None:
    """Mean IoU per person at full resolution, by kind of case."""
    typer.echo(json.dumps(evaluate(read_split(data, split), predictor(model), jitter).summary(), indent=2))


@app.command()
def baselines(data: Data, split: Annotated[str, typer.Option(help="val or ood")] = "val") -> None:
    """Mean IoU per person of the whole box, the ellipse in it, and GrabCut."""
    photos = read_split(data, split)
    typer.echo(json.dumps({name: evaluate(photos, run).summary()["all"] for name, run in BASELINES.items()}, indent=2))


@app.command()
def publish(
    checkpoint: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="the model's name, e.g. hiseg_b0")],
    data: Data,
    repository: Path = Path("model_repository"),
    version: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Export, measure on val and ood, and write the model, its configuration, metrics and card."""
    metrics = publish_model(checkpoint, repository, name, version, data)
    for split, quality in metrics["quality"].items():
        typer.echo(f"{split}: mean IoU {quality['ground truth boxes']['all']:.4f}")
    typer.echo(f"wrote {repository / name}")
