"""What the training commands share: flags of the document, checkpoints by pattern."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from hiseg_training.compat.unet_weights import read_unet_weights
from hiseg_training.config.model import ModelConfig
from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import override, parse, read
from hiseg_training.config.run import Configuration
from hiseg_training.engine.checkpoints import is_checkpoint, load_checkpoint, read_run
from hiseg_training.models.growth import load_grown
from hiseg_training.models.hierarchical import HierarchicalModel

Config = Annotated[str | None, typer.Option(help="a name that `configs` lists, or its alias")]
Annotations = Annotated[Path | None, typer.Option(help="COCO file of people; else the split of HISEG_DATA")]
Images = Annotated[Path | None, typer.Option(help="folder of its images; else images/... beside annotations/")]
Epochs = Annotated[int | None, typer.Option(help="passes over the photos; also when a run is resumed")]
BatchSize = Annotated[int | None, typer.Option(help="canvases a step, of all processes together")]
LearningRate = Annotated[float | None, typer.Option(help="at its peak")]
Checkpoint = Annotated[str | None, typer.Option(help="weights to start from; a pattern means the newest that matches")]
Resume = Annotated[str | None, typer.Option(help="checkpoint of an interrupted run; a pattern means the newest")]
Set = Annotated[list[str], typer.Option(help="KEY=VALUE, any value of the configuration: schedule.clip=1")]
Output = Annotated[Path, typer.Option(help="folder of experiments; each run makes one in it")]
Rest = Annotated[list[str] | None, typer.Argument(hidden=True, help="what a shell has made of a pattern")]


def latest_match(pattern: str, flag: str, rest: Sequence[str] | None = None) -> Path:
    """The file, or the newest file that a pattern matches; which one is said aloud.

    Args:
        rest: more files, if the shell has resolved the pattern.

    Raises:
        FileNotFoundError: none does.
    """
    found = [Path(path) for one in (pattern, *(rest or ())) for path in glob.glob(one)]
    if not found:
        raise FileNotFoundError(f"{flag}: no file matches {pattern}")
    path = max(found, key=lambda file: (file.stat().st_mtime, file.name))
    if len(found) > 1 or str(path) != pattern:
        typer.echo(f"{flag}: {path}, the newest of {len(found)}")
    return path


def resolve_config(
    name: str | None,
    resume: Path | None,
    kind: str | None,
    values: dict[str, Any],
    assignments: Sequence[str],
    defaults: dict[str, Any] | None = None,
) -> Configuration:
    """A run's configuration: of its name or of the run to resume, changed by flags and then by ``--set``.

    Args:
        kind: what it must be for; None takes any.
        values: by dotted key; None is not given.
        defaults: what this command takes instead of the configuration's, by dotted key.

    Raises:
        ValueError: the name is missing, unknown, or another than the run's; a value doesn't fit.
    """
    if resume is not None:
        start = read(read_run(resume))
        if name is not None and configuration(name).name != start.name:
            raise ValueError(f"config: {resume} is a run of {start.name}, not of {configuration(name).name}")
    elif name is None:
        raise ValueError("config: which? `hiseg-train configs` lists them")
    else:
        start = override(configuration(name), defaults or {})
    if kind is not None and start.kind != kind:
        raise ValueError(f"config: {start.name} is for {start.kind}, not for {kind}")
    given = {
        key: str(value) if isinstance(value, Path) else value for key, value in values.items() if value is not None
    }
    return override(start, given | parse(assignments))


def common_values(
    train_ann: Path | None,
    val_ann: Path | None,
    train_images: Path | None,
    val_images: Path | None,
    epochs: int | None,
    batch_size: int | None,
    learning_rate: float | None,
) -> dict[str, Any]:
    """What the flags that all three stages have say, by dotted key; None is not given."""
    return {
        "data.train_ann": train_ann,
        "data.val_ann": val_ann,
        "data.train_images": train_images,
        "data.val_images": val_images,
        "schedule.epochs": epochs,
        "schedule.batch_size": batch_size,
        "schedule.learning_rate": learning_rate,
    }


def initial_weights(resumed: Path | None, pretrained: str | None, rest: Sequence[str] | None) -> Path | None:
    """Whose weights a run begins with: those of the run it goes on with, else of ``--pretrained_checkpoint``."""
    return resumed or (latest_match(pretrained, "pretrained_checkpoint", rest) if pretrained else None)


def run_folder(output: Path, name: str, resume: Path | None) -> Path:
    """Where a run's files go: a new folder, ``name``, ``name_2`` and so on; that of the run which is resumed."""
    if resume is not None and resume.parent.name == "checkpoints":
        return resume.parent.parent
    number = 1
    while (folder := output / (name if number == 1 else f"{name}_{number}")).exists():
        number += 1
    return folder


def initial_model(config: ModelConfig, path: Path | None, seed: int) -> HierarchicalModel:
    """A fresh model with what a checkpoint has of it; what is taken is said aloud.

    The coarse stage is taken as the checkpoint has it, whatever ``config`` says; the fine stage as far as it fits; a
    larger one with the same decoder and head begins as what the smaller one does. Upstream's UNets have a coarse stage
    only.

    Raises:
        FileNotFoundError, UpstreamCheckpointError: it isn't there, or holds no model.
    """
    torch.manual_seed(seed)
    if path is None:
        return HierarchicalModel(config)
    if not is_checkpoint(path):
        unet = read_unet_weights(path)
        model = HierarchicalModel(unet.config(config))
        unet.load_into(model.coarse)
        typer.echo(f"{path}: a {unet.variant} UNet, which becomes the coarse stage")
        return model
    loaded = load_checkpoint(path)
    family, variant = loaded.config.coarse
    model = HierarchicalModel(
        replace(
            config,
            coarse_family=family,
            coarse_variant=variant,
            coarse_widths=loaded.config.coarse_widths,
            coarse_reduction=loaded.config.coarse_reduction,
            coarse_boxes=loaded.config.coarse_boxes,
            activation=loaded.config.activation,
            normalization=loaded.config.normalization,
            pretrained=False,
        )
    )
    model.coarse.load_state_dict(loaded.coarse.state_dict())
    fit, all_of_it = load_grown(model.fine, loaded.fine.state_dict()), len(model.fine.state_dict())
    left = "all of the fine stage" if fit == all_of_it else f"{fit} of the fine stage's {all_of_it} tensors"
    typer.echo(f"{path}: the coarse stage, and {left}")
    return model


def with_model_config(given: Configuration, model: HierarchicalModel) -> Configuration:
    """The configuration of what is really trained."""
    return given.model_copy(update={"model": model.config})
