"""``hiseg-train distill``: stage 2, a small coarse stage learns from a large one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hiseg_training.cli.boxes import BoxesAnn, BoxesTeacher, boxed
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import (
    Annotations,
    BatchSize,
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
    initial_weights,
    latest_match,
    resolve_config,
    run_folder,
    with_model_config,
)
from hiseg_training.cli.pretrain import CANVAS
from hiseg_training.compat.foreground import read_foreground
from hiseg_training.config.names import configuration
from hiseg_training.config.run import Distillation
from hiseg_training.data.eval_dataset import read_photos


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
            raise ValueError("teacher_checkpoint: which? a checkpoint of this program, or a UNet of the seed's")
        resumed = latest_match(resume, "resume", rest) if resume else None
        values = common_values(train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate) | {
            "distillation.temperature.initial": initial_temperature,
            "distillation.temperature.final": final_temperature,
            "distillation.temperature.epochs": temperature_decay_epochs,
        }
        chosen = resolve_config(student_config, resumed, "distillation", values, set, CANVAS)
        data = chosen.data
        teacher, variant = read_teacher(latest_match(teacher_checkpoint, "teacher_checkpoint"))
        if teacher_config is not None and (wanted := configuration(teacher_config).model.variant) != variant:
            raise ValueError(f"teacher_checkpoint: it holds a {variant}, but teacher_config says {wanted}")
        weights = initial_weights(resumed, pretrained_checkpoint, rest)
        model = initial_model(chosen.model, weights, chosen.schedule.seed)
        if not weights and not chosen.model.pretrained:
            typer.echo("distillation.unfreezing: none, as the student starts from nothing")
            settings = Distillation.model_validate(chosen.distillation.model_dump() | {"unfreezing": None})
            chosen = chosen.model_copy(update={"distillation": settings})
        folder = run_folder(output, chosen.name, resumed)
        photos = read_photos(data.train_ann, data.train_images, "train", data.limit)
        if boxes_ann is not None:
            photos += boxed(boxes_ann, boxes_images, data.limit, boxes_teacher)
        views = [p for p in read_photos(data.val_ann, data.val_images, "val", data.limit) if p.exhaustive]
        task = DistillationTask(model, teacher, with_model_config(chosen, model))
        run(task, photos, views, folder, DISTILLATION, resumed, DistillationDataset, collate_distillation)
        typer.echo(f"wrote {folder / 'checkpoints'}")


def read_teacher(path: Path) -> tuple[Any, str]:
    """A teacher and its variant."""
    from hiseg_training.engine.distillation import Teacher

    found = read_foreground(path)
    return Teacher(found.stage, found.reduction), found.variant
