"""``hiseg-train pretrain``, ``distill`` and ``train``: the three stages of training share most of their options."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from hiseg.core.coco_file import PERSON
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import (
    Annotations,
    BatchSize,
    Category,
    Checkpoint,
    Config,
    Epochs,
    Images,
    LearningRate,
    Output,
    Rest,
    Resume,
    Set,
    common_values,
    initial_model,
    latest_match,
    resolve_config,
    run_folder,
    tell,
)
from hiseg_training.compat.foreground import read_foreground
from hiseg_training.config.names import configuration
from hiseg_training.config.run import Configuration, Distillation, Instances
from hiseg_training.data.coco import Photo, data_root, split_file, with_outlines
from hiseg_training.data.eval_dataset import read_photos
from hiseg_training.inference.pseudo_labels import add_pseudo_labels
from hiseg_training.inference.runner import open_runner
from hiseg_training.models.hierarchical import HierarchicalModel

if TYPE_CHECKING:
    from hiseg_training.engine.trainer import Best

SMALL_CANVAS = {"data.canvas": [384, 384], "data.scales": [0.8, 2.0]}
"""The coarse stage sees reduced canvases anyway: small ones, cut out of larger views, train it faster."""

BoxesAnn = Annotated[Path | None, typer.Option(help="COCO file of people with boxes only, to learn from too")]
BoxesTeacher = Annotated[str | None, typer.Option(help="instance model (.onnx or checkpoint) that outlines them")]


def pretrain(
    config: Config = None,
    train_ann: Annotations = None,
    val_ann: Annotations = None,
    train_images: Images = None,
    val_images: Images = None,
    boxes_ann: BoxesAnn = None,
    boxes_images: Images = None,
    boxes_teacher: BoxesTeacher = None,
    category: Category = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    pretrained_checkpoint: Checkpoint = None,
    from_fine: Annotated[bool, typer.Option(help="start the encoder from the checkpoint's fine stage's")] = False,
    resume: Resume = None,
    set: Set = [],  # noqa: B006
    output: Output = Path("experiments"),
    rest: Rest = None,
) -> None:
    """Train the coarse stage alone (stage 1): anybody or nobody, for every pixel."""
    from hiseg_training.engine.callbacks import FOREGROUND
    from hiseg_training.engine.foreground import ForegroundTask
    from hiseg_training.engine.trainer import run

    with cli_errors():
        _check_boxes_teacher(boxes_ann, boxes_teacher)
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        )
        start = _start(config, resume, pretrained_checkpoint, rest, None, values, set, SMALL_CANVAS)
        if from_fine and start.resumed is None:
            if start.weights is None:
                raise ValueError("from_fine: there is no fine stage without a pretrained_checkpoint")
            start.model.start_coarse_from_fine()
        folder = run_folder(output, f"{start.config.name}_pretrain", start.resumed)
        photos, boxed = _training_photos(start.config, boxes_ann, boxes_images)
        exhaustive = _exhaustive(start.config)
        photos += _outlined(boxed, boxes_teacher)
        task = ForegroundTask(start.model, start.config)
        best = run(task, photos, exhaustive, folder, FOREGROUND, start.resumed)
        _tell_end(best, start.config, "train")


def distill(
    student_config: Config = None,
    teacher_config: Config = None,
    teacher_checkpoint: Checkpoint = None,
    initial_temperature: Annotated[float | None, typer.Option(help="of the soft labels, at the start")] = None,
    final_temperature: Annotated[float | None, typer.Option(help="the same at the end")] = None,
    temperature_decay_epochs: Annotated[float | None, typer.Option(help="epochs from one to the other")] = None,
    train_ann: Annotations = None,
    val_ann: Annotations = None,
    train_images: Images = None,
    val_images: Images = None,
    boxes_ann: BoxesAnn = None,
    boxes_images: Images = None,
    boxes_teacher: BoxesTeacher = None,
    category: Category = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    pretrained_checkpoint: Checkpoint = None,
    resume: Resume = None,
    set: Set = [],  # noqa: B006
    output: Output = Path("experiments"),
    rest: Rest = None,
) -> None:
    """Train a student's coarse stage from a teacher's (stage 2).

    Without a boxes_teacher, photos with boxes only are learnt from the teacher's view alone. A student that starts
    from a checkpoint is unfrozen block by block; one that starts from nothing learns whole.
    """
    from hiseg_training.engine.callbacks import DISTILLATION
    from hiseg_training.engine.distillation import DistillationDataset, DistillationTask, collate_distillation
    from hiseg_training.engine.trainer import run

    with cli_errors():
        if teacher_checkpoint is None:
            raise ValueError("teacher_checkpoint: which? a checkpoint of this program, or a UNet of upstream's")
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        ) | {
            "distillation.temperature.initial": initial_temperature,
            "distillation.temperature.final": final_temperature,
            "distillation.temperature.epochs": temperature_decay_epochs,
        }
        teacher = _read_teacher(latest_match(teacher_checkpoint, "teacher_checkpoint"), teacher_config)
        start = _start(student_config, resume, pretrained_checkpoint, rest, "distillation", values, set, SMALL_CANVAS)
        chosen = start.config
        if not start.weights and not chosen.model.pretrained:
            typer.echo("distillation.unfreezing: none, as the student starts from nothing")
            settings = Distillation.model_validate(chosen.distillation.model_dump() | {"unfreezing": None})
            chosen = chosen.model_copy(update={"distillation": settings})
        folder = run_folder(output, chosen.name, start.resumed)
        photos, boxed = _training_photos(chosen, boxes_ann, boxes_images, outlined=False)
        exhaustive = _exhaustive(chosen)
        photos += _outlined(boxed, boxes_teacher)
        task = DistillationTask(start.model, teacher, chosen)
        wrap, join = DistillationDataset, collate_distillation
        best = run(task, photos, exhaustive, folder, DISTILLATION, start.resumed, wrap, join)
        _tell_end(best, chosen, "train")


def train(
    config: Config = None,
    train_ann: Annotations = None,
    val_ann: Annotations = None,
    train_images: Images = None,
    val_images: Images = None,
    boxes_ann: BoxesAnn = None,
    boxes_images: Images = None,
    boxes_teacher: BoxesTeacher = None,
    category: Category = None,
    epochs: Epochs = None,
    batch_size: BatchSize = None,
    learning_rate: LearningRate = None,
    pretrained_checkpoint: Checkpoint = None,
    resume: Resume = None,
    set: Set = [],  # noqa: B006
    output: Output = Path("experiments"),
    rest: Rest = None,
) -> None:
    """Train instance segmentation (stage 3).

    Started from a checkpoint the coarse stage is frozen; started from nothing it learns along.
    """
    from hiseg_training.engine.callbacks import INSTANCES
    from hiseg_training.engine.instances import InstanceTask
    from hiseg_training.engine.trainer import run

    with cli_errors():
        _check_boxes_teacher(boxes_ann, boxes_teacher)
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        )
        start = _start(config, resume, pretrained_checkpoint, rest, "instance", values, set)
        chosen = start.config
        if chosen.instances.coarse == "auto":
            coarse = "frozen" if start.weights else "trained"
            typer.echo(f"instances.coarse: {coarse}, as the run starts from {start.weights or 'nothing'}")
            instances = Instances.model_validate({**chosen.instances.model_dump(), "coarse": coarse})
            chosen = chosen.model_copy(update={"instances": instances})
        folder = run_folder(output, chosen.name, start.resumed)
        photos, boxed = _training_photos(chosen, boxes_ann, boxes_images)
        validation = with_outlines(_validation_photos(chosen), _file(chosen.data.val_ann, "val"), tell)
        photos += _outlined(boxed, boxes_teacher)
        task = InstanceTask(start.model, chosen)
        best = run(task, photos, validation, folder, INSTANCES, start.resumed)
        _tell_end(best, chosen, "publish")


def _tell_end(best: Best, config: Configuration, following: Literal["train", "publish"]) -> None:
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
        words += ["--train-ann", data.train_ann] if data.train_ann else []
        words += ["--train-images", data.train_images] if data.train_images else []
    words += ["--val-ann", data.val_ann] if data.val_ann else []
    words += ["--val-images", data.val_images] if data.val_images else []
    if data.categories != (PERSON,):
        words += [word for name in data.categories for word in ("--category", name)]
    typer.echo(f"next: {shlex.join(map(str, words))}")


class _Start(NamedTuple):
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


def _start(
    name: str | None,
    resume: str | None,
    pretrained: str | None,
    rest: Sequence[str] | None,
    kind: str | None,
    values: dict[str, Any],
    assignments: Sequence[str],
    defaults: dict[str, Any] | None = None,
) -> _Start:
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
    return _Start(config.model_copy(update={"model": model.config}), resumed, weights, model)


def _read_teacher(path: Path, config: str | None) -> Any:
    """Read the teacher of a distillation from a checkpoint, of this project or of upstream.

    Raises:
        ValueError: it has another variant than the configuration ``config``.
    """
    from hiseg_training.engine.distillation import Teacher

    found = read_foreground(path)
    if config is not None and (wanted := configuration(config).model.variant) != found.variant:
        raise ValueError(f"teacher_checkpoint: it holds a {found.variant}, but teacher_config says {wanted}")
    return Teacher(found.stage, found.reduction)


def _check_boxes_teacher(annotations: Path | None, teacher: str | None) -> None:
    """Check that a model is named that outlines people who have boxes only, where outlines are what is learnt.

    Raises:
        ValueError: there are such people and no model is named.
    """
    if annotations is not None and teacher is None:
        raise ValueError("boxes_teacher: which? outlines are what is learnt, and photos with boxes only have none")


def _training_photos(
    config: Configuration,
    boxes_ann: Path | None,
    boxes_images: Path | None,
    outlined: bool = True,
) -> tuple[list[Photo], list[Photo]]:
    """Read the training photos, and those with boxes only.

    Args:
        config: of the run.
        boxes_ann: COCO file of the photos with boxes only.
        boxes_images: folder of their images.
        outlined: whether training photos in which somebody has no outline are left out.

    Raises:
        FileNotFoundError: annotations or images do not exist.
        AnnotationError: annotations can't be read, or nobody is left in them.
    """
    data = config.data
    photos = read_photos(data.train_ann, data.train_images, "train", data.limit, data.categories, tell)
    if outlined:
        photos = with_outlines(photos, _file(data.train_ann, "train"), tell)
    if boxes_ann is None:
        return photos, []
    return photos, read_photos(boxes_ann, boxes_images, "", data.limit, data.categories, tell)


def _outlined(boxed: list[Photo], boxes_teacher: str | None) -> list[Photo]:
    """Return photos with boxes only, outlined if a model is named for it; that takes long, so all files are read first.

    Raises:
        FileNotFoundError: the model does not exist.
    """
    if not boxed or boxes_teacher is None:
        return boxed
    return add_pseudo_labels(boxed, open_runner(latest_match(boxes_teacher, "boxes_teacher")))


def _validation_photos(config: Configuration) -> list[Photo]:
    data = config.data
    return read_photos(data.val_ann, data.val_images, "val", data.limit, data.categories, tell)


def _file(annotations: Path | None, split: str) -> Path:
    """Return the file that photos are read from: the one that is named, or the split's."""
    return annotations or split_file(data_root(), split)


def _exhaustive(config: Configuration) -> list[Photo]:
    """Read the validation photos in which everybody is outlined, as only there the rest is nobody.

    Raises:
        ValueError: there is none.
    """
    photos = _validation_photos(config)
    found = [photo for photo in photos if photo.exhaustive]
    if not found:
        file = _file(config.data.val_ann, "val")
        raise ValueError(f"{file}: in none of its images is everybody outlined, so the foreground can't be measured")
    if left := len(photos) - len(found):
        first = next(photo.path.name for photo in photos if not photo.exhaustive)
        tell(f"  left out: {left} x image in which somebody isn't outlined, first {first}")
    return found
