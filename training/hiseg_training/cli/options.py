"""Options that several commands share, and what their values mean: configurations, checkpoints by pattern, folders."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from hiseg.core.coco_file import PERSON
from hiseg_training.compat.unet_weights import read_unet_weights
from hiseg_training.config.model import ModelConfig
from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import override, parse, read
from hiseg_training.config.run import Configuration
from hiseg_training.data.coco import data_root
from hiseg_training.engine.checkpoints import is_checkpoint, load_checkpoint, read_run
from hiseg_training.models.growth import load_grown
from hiseg_training.models.hierarchical import HierarchicalModel

Config = Annotated[str | None, typer.Option(help="a name that `configs` lists, or its alias")]
Annotations = Annotated[Path | None, typer.Option(help="COCO file of people; else the split of HISEG_DATA")]
Images = Annotated[Path | None, typer.Option(help="folder of its images; else images/... beside annotations/")]
Category = Annotated[
    list[str] | None,
    typer.Option(help="name of a category that is people, if that isn't person, in any case; repeatable"),
]
Epochs = Annotated[int | None, typer.Option(help="passes over the photos; also when a run is resumed")]
BatchSize = Annotated[int | None, typer.Option(help="canvases a step, of all processes together")]
LearningRate = Annotated[float | None, typer.Option(help="at its peak")]
Checkpoint = Annotated[str | None, typer.Option(help="weights to start from; a pattern means the newest that matches")]
Resume = Annotated[str | None, typer.Option(help="checkpoint of an interrupted run; a pattern means the newest")]
Set = Annotated[list[str], typer.Option(help="KEY=VALUE, any value of the configuration: schedule.clip=1")]
Output = Annotated[Path, typer.Option(help="folder of experiments; each run makes one in it")]
Rest = Annotated[list[str] | None, typer.Argument(hidden=True, help="what a shell has made of a pattern")]
Data = Annotated[
    Path,
    typer.Option(
        default_factory=data_root,
        show_default="HISEG_DATA, or data/person_seg",
        metavar="FOLDER",
        help="folder with annotations/ and images/, where no COCO file is named",
    ),
]
ProvenanceFile = Annotated[
    Path | None,
    typer.Option("--provenance", exists=True, dir_okay=False, help="TOML file: what it learnt from, on what terms"),
]


def people_names(category: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the categories that are people: those of ``--category``, else person."""
    return tuple(category or (PERSON,))


def tell(line: str) -> None:
    """Show a line about annotations that were read to the user; results alone go to standard output."""
    typer.echo(line, err=True)


def latest_match(pattern: str, flag: str, rest: Sequence[str] | None = None) -> Path:
    """Return the most recently modified file that a pattern matches, and print which one unless it is the pattern.

    Args:
        pattern: a path, or a glob pattern.
        flag: name of the option, for messages.
        rest: further files, where the shell has expanded the pattern.

    Raises:
        FileNotFoundError: no file matches.
    """
    found = [
        Path(path) for one in (pattern, *(rest or ())) for path in ([one] if Path(one).exists() else glob.glob(one))
    ]
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
    """Return a run's configuration: by name, or of the run to resume, changed by options and then by ``--set``.

    Args:
        name: of the configuration, or its alias; may be None when a run is resumed.
        resume: a checkpoint of the run to resume.
        kind: the kind of configuration that is needed; None accepts any.
        values: values of options, by dotted key; None means that an option was not given.
        assignments: ``KEY=VALUE`` words of ``--set``.
        defaults: the command's own defaults, by dotted key, instead of the configuration's.

    Raises:
        ValueError: the name is missing, unknown, or not that of the resumed run, or a value does not fit.
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
    category: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the values of the options that all three stages have, by dotted key; None means not given."""
    return {
        "data.train_ann": train_ann,
        "data.val_ann": val_ann,
        "data.train_images": train_images,
        "data.val_images": val_images,
        "data.categories": list(category) if category else None,
        "schedule.epochs": epochs,
        "schedule.batch_size": batch_size,
        "schedule.learning_rate": learning_rate,
    }


def run_folder(output: Path, name: str, resume: Path | None) -> Path:
    """Return the folder of a run's files: that of the resumed run, else a new ``name``, ``name_2`` and so on."""
    if resume is not None and resume.parent.name == "checkpoints":
        return resume.parent.parent
    number = 1
    while (folder := output / (name if number == 1 else f"{name}_{number}")).exists():
        number += 1
    return folder


def initial_model(config: ModelConfig, path: Path | None, seed: int) -> HierarchicalModel:
    """Build a model and load what a checkpoint has of it; what is loaded is printed.

    The coarse stage is loaded as the checkpoint has it, whatever ``config`` says; the fine stage as far as shapes fit,
    and a larger fine stage with the same decoder and head starts with the function of the smaller one. Upstream's
    UNets have a coarse stage only.

    Args:
        config: of the model.
        path: the checkpoint; None starts from random or ImageNet weights.
        seed: for the random weights.

    Raises:
        FileNotFoundError, UpstreamCheckpointError: the file does not exist, or holds no model.
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
