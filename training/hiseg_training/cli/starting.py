"""What a stage of training begins with, its configuration, its model and its photos, and what is said at its end."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
import typer

from hiseg.core.coco_file import PERSON, AnnotationError
from hiseg_training.cli.options import latest_match, tell
from hiseg_training.compat.foreground import read_foreground
from hiseg_training.compat.unet_weights import read_unet_weights
from hiseg_training.config.model import ModelConfig
from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import override, parse, read
from hiseg_training.config.run import Configuration
from hiseg_training.data.coco import Photo, coco_set, data_root, read_annotations, split_file, with_outlines
from hiseg_training.data.eval_dataset import read_photos
from hiseg_training.data.things import read_things
from hiseg_training.engine.checkpoints import is_checkpoint, load_coarse, read_run
from hiseg_training.engine.distillation import Teacher
from hiseg_training.inference.pseudo_labels import add_pseudo_labels
from hiseg_training.inference.runner import open_runner
from hiseg_training.models.growth import load_grown
from hiseg_training.models.hierarchical import HierarchicalModel

if TYPE_CHECKING:
    from hiseg_training.engine.trainer import Best


class Start(NamedTuple):
    """What a run begins with.

    Attributes:
        config: the configuration with all options applied; its ``model`` is that of the model below.
        resumed: the checkpoint of the interrupted run that is continued; None for a new run.
        weights: the file that the model's weights were read from; None for a fresh model.
        model: the model to train.
    """

    config: Configuration
    resumed: Path | None
    weights: Path | None
    model: HierarchicalModel


def begin(
    name: str | None,
    resume: str | None,
    pretrained: str | None,
    rest: Sequence[str] | None,
    kind: str | None,
    values: dict[str, Any],
    assignments: Sequence[str],
    defaults: dict[str, Any] | None = None,
) -> Start:
    """Resolve a run's configuration and checkpoints, and build its model.

    Args:
        name: the configuration's name or alias.
        resume: pattern of the checkpoint to continue from.
        pretrained: pattern of the checkpoint to take weights from, unless a run is continued.
        rest: more files, where the shell has expanded a pattern.
        kind: the kind of configuration that the stage needs; None accepts any.
        values: values of options, by dotted key; None means that an option was not given.
        assignments: ``KEY=VALUE`` words of ``--set``.
        defaults: the stage's own defaults, by dotted key.
    """
    resumed = latest_match(resume, "resume", rest) if resume else None
    config = resolve_config(name, resumed, kind, values, assignments, defaults)
    weights = resumed or (latest_match(pretrained, "pretrained_checkpoint", rest) if pretrained else None)
    model = initial_model(config.model, weights, config.schedule.seed)
    return Start(config.model_copy(update={"model": model.config}), resumed, weights, model)


def read_teacher(path: Path, config: str | None) -> Teacher:
    """Read the teacher of a distillation from a checkpoint, of this project or of upstream.

    Raises:
        ValueError: it has another variant than the configuration ``config``.
    """
    found = read_foreground(path)
    if config is not None and (wanted := configuration(config).model.variant) != found.variant:
        raise ValueError(f"teacher_checkpoint: it holds a {found.variant}, but teacher_config says {wanted}")
    return Teacher(found.stage, found.reduction)


def check_boxes(annotations: Path | None, teacher: str | None, outlines: Path | None = None) -> None:
    """Check that there are outlines to learn from for people who have boxes only.

    Args:
        annotations: COCO file of those people.
        teacher: a model that outlines them.
        outlines: a file of outlines of some of them.

    Raises:
        ValueError: there are such people and neither of the two, or outlines of nobody.
    """
    if annotations is not None and teacher is None and outlines is None:
        raise ValueError("boxes_teacher: which? outlines are what is learnt, and photos with boxes only have none")
    if annotations is None and outlines is not None:
        raise ValueError("boxes_ann: which? partial_ann has outlines of some of its boxes")


def training_photos(
    config: Configuration,
    boxes_ann: Path | None,
    boxes_images: Path | None,
    outlined: bool = True,
    partial_ann: Path | None = None,
) -> tuple[list[Photo], list[Photo]]:
    """Read the training photos, and those with boxes only.

    Args:
        config: of the run.
        boxes_ann: COCO file of the photos with boxes only.
        boxes_images: folder of their images.
        outlined: whether training photos in which somebody has no outline are left out.
        partial_ann: COCO file with outlines of some of those boxes.

    Raises:
        FileNotFoundError: annotations or images do not exist.
        AnnotationError: annotations can't be read, or nobody is left in them.
    """
    data, photos = config.data, list[Photo]()
    folders = data.train_images or (None,) * len(data.train_ann)
    for file, folder in zip(data.train_ann, folders, strict=True) if data.train_ann else [(None, None)]:
        found = read_photos(file, folder, "train", data.limit, data.categories, tell)
        photos += with_outlines(found, _file(file, "train"), tell) if outlined else found
    if boxes_ann is None:
        return photos, []
    boxes = coco_set(boxes_ann, boxes_images, data_root(), "boxes")
    found = read_annotations(boxes.annotations, boxes.images, data.categories, tell, partial_ann)
    return photos, found[: data.limit or None]


def check_outlined(photos: Sequence[Photo], config: Configuration) -> None:
    """Check that anybody in the training photos has an outline.

    Raises:
        AnnotationError: nobody has.
    """
    if not any(person.rle is not None for photo in photos for person in photo.people):
        file = _file(config.data.train_ann[0] if config.data.train_ann else None, "train")
        raise AnnotationError(f"{file}: in none of its images has anybody an outline; boxes aren't enough here")


def nobody_photos(config: Configuration, annotations: Path | None, images: Path | None) -> list[Photo]:
    """Read photos of nobody, whose outlined animals or things stand in the place of people.

    Raises:
        FileNotFoundError: annotations or images do not exist.
        AnnotationError: annotations can't be read, or have people only.
    """
    if annotations is None:
        return []
    found = coco_set(annotations, images, data_root(), "nobody")
    return read_things(found.annotations, found.images, config.data.categories, tell)[: config.data.limit or None]


def outlined_by(boxed: list[Photo], boxes_teacher: str | None) -> list[Photo]:
    """Return photos with boxes only, outlined if a model is named for it; that takes long, so all files are read first.

    Raises:
        FileNotFoundError: the model does not exist.
    """
    if not boxed or boxes_teacher is None:
        return boxed
    return add_pseudo_labels(boxed, open_runner(latest_match(boxes_teacher, "boxes_teacher")))


def outlined_validation_photos(config: Configuration) -> list[Photo]:
    """Read the validation photos in which nobody lacks an outline."""
    return with_outlines(_validation_photos(config), _file(config.data.val_ann, "val"), tell)


def _validation_photos(config: Configuration) -> list[Photo]:
    data = config.data
    return read_photos(data.val_ann, data.val_images, "val", data.limit, data.categories, tell)


def _file(annotations: Path | None, split: str) -> Path:
    """Return the file that photos are read from: the one that is named, or the split's."""
    return annotations or split_file(data_root(), split)


def exhaustive_photos(config: Configuration) -> list[Photo]:
    """Read the validation photos in which everybody is outlined, as only there the rest is nobody.

    Raises:
        ValueError: there is none.
    """
    photos = _validation_photos(config)
    if not any(photo.exhaustive for photo in photos):
        file = _file(config.data.val_ann, "val")
        raise ValueError(f"{file}: in none of its images is everybody outlined, so the foreground can't be measured")
    return only_exhaustive(photos, "outlined")


def only_exhaustive(photos: Sequence[Photo], known: str) -> list[Photo]:
    """Return the photos in which everybody is known, and tell of the others: there, people would count as nobody.

    Args:
        photos: of which some are left out.
        known: what people are in those that are kept, for the message: ``outlined`` or ``annotated``.
    """
    kept = [photo for photo in photos if photo.exhaustive]
    if left := len(photos) - len(kept):
        first = next(photo.path.name for photo in photos if not photo.exhaustive)
        tell(f"  left out: {left} x image in which somebody isn't {known}, first {first}")
    return kept


def tell_end(best: Best, config: Configuration, following: Literal["train", "publish"]) -> None:
    """Say what a run has brought, and which command takes it further."""
    if int(os.environ.get("RANK", 0)):
        return  # of several processes the first speaks
    epoch = f" in epoch {best.epoch} of {config.schedule.epochs}" if best.epoch else ""
    typer.echo(f"wrote {best.path.parent}\nbest: {best.score:.4f}{epoch}, {best.path.name}")
    data = config.data
    words: list[object] = ["hiseg-train", following]
    if following == "publish":
        words += [best.path, "--name", "my_model"]
    else:
        name = config.name if config.kind == "instance" else config.model.variant
        words += ["--config", name, "--pretrained-checkpoint", best.path]
        words += [word for file in data.train_ann for word in ("--train-ann", file)]
        words += [word for folder in data.train_images for word in ("--train-images", folder)]
    words += ["--val-ann", data.val_ann] if data.val_ann else []
    words += ["--val-images", data.val_images] if data.val_images else []
    if data.categories != (PERSON,):
        words += [word for name in data.categories for word in ("--category", name)]
    typer.echo(f"next: {shlex.join(map(str, words))}")


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
    found = load_coarse(path)
    family, variant = found.config.coarse
    model = HierarchicalModel(
        replace(
            config,
            coarse_family=family,
            coarse_variant=variant,
            coarse_widths=found.config.coarse_widths,
            coarse_reduction=found.config.coarse_reduction,
            coarse_boxes=found.config.coarse_boxes,
            activation=found.config.activation,
            normalization=found.config.normalization,
            pretrained=False,
        )
    )
    model.coarse.load_state_dict(found.stage.state_dict())
    fit, all_of_it = load_grown(model.fine, found.fine), len(model.fine.state_dict())
    left = "all of the fine stage" if fit == all_of_it else f"{fit} of the fine stage's {all_of_it} tensors"
    typer.echo(f"{path}: the coarse stage, and {left}")
    return model
