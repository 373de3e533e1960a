"""``hiseg-train pretrain``, ``distill`` and ``train``: the three stages of training share most of their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hiseg.cli.numbers import number
from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import (
    OF_CONFIGURATION,
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
    TrainAnnotations,
    ValAnnotations,
    common_values,
    latest_match,
    run_folder,
)

# PyTorch and what needs it are imported by each command when it is called: --help shall come at once.
SMALL_CANVAS = {"data.canvas": [384, 384], "data.scales": [0.8, 2.0]}
"""The coarse stage sees reduced canvases anyway: small ones, cut out of larger views, train it faster."""

BoxesAnn = Annotated[
    Path | None,
    typer.Option(help="COCO file of people with boxes only, to learn from too", metavar="FILE", show_default="none"),
]
BoxesTeacher = Annotated[
    str | None,
    typer.Option(help="instance model (.onnx or checkpoint) that outlines them", metavar="FILE", show_default="none"),
]


def pretrain(
    config: Config = None,
    train_ann: TrainAnnotations = None,
    val_ann: ValAnnotations = None,
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
    from hiseg_training.cli.starting import (
        begin,
        check_boxes_teacher,
        exhaustive_photos,
        outlined_by,
        tell_end,
        training_photos,
    )
    from hiseg_training.engine.callbacks import FOREGROUND
    from hiseg_training.engine.foreground import ForegroundTask
    from hiseg_training.engine.trainer import run

    with cli_errors():
        check_boxes_teacher(boxes_ann, boxes_teacher)
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        )
        start = begin(config, resume, pretrained_checkpoint, rest, None, values, set, SMALL_CANVAS)
        if from_fine and start.resumed is None:
            if start.weights is None:
                raise ValueError("from_fine: there is no fine stage without a pretrained_checkpoint")
            start.model.start_coarse_from_fine()
        folder = run_folder(output, f"{start.config.name}_pretrain", start.resumed)
        photos, boxed = training_photos(start.config, boxes_ann, boxes_images)
        exhaustive = exhaustive_photos(start.config)
        photos += outlined_by(boxed, boxes_teacher)
        task = ForegroundTask(start.model, start.config)
        best = run(task, photos, exhaustive, folder, FOREGROUND, start.resumed)
        tell_end(best, start.config, "train")


def distill(
    student_config: Config = None,
    teacher_config: Annotated[
        str | None,
        typer.Option(
            help="a name that `configs` lists, to check the teacher by", metavar="NAME", show_default="not checked"
        ),
    ] = None,
    teacher_checkpoint: Annotated[
        str | None,
        typer.Option(
            help="the teacher, which is needed; a pattern means the newest that matches",
            metavar="FILE",
            show_default="none",
        ),
    ] = None,
    initial_temperature: Annotated[
        float | None, number("of the soft labels, at the start", show_default=OF_CONFIGURATION)
    ] = None,
    final_temperature: Annotated[float | None, number("the same at the end", show_default=OF_CONFIGURATION)] = None,
    temperature_decay_epochs: Annotated[
        float | None, number("epochs from one to the other", show_default=OF_CONFIGURATION)
    ] = None,
    train_ann: TrainAnnotations = None,
    val_ann: ValAnnotations = None,
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
    from hiseg_training.cli.starting import (
        begin,
        exhaustive_photos,
        outlined_by,
        read_teacher,
        tell_end,
        training_photos,
    )
    from hiseg_training.config.run import Distillation
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
        teacher = read_teacher(latest_match(teacher_checkpoint, "teacher_checkpoint"), teacher_config)
        start = begin(student_config, resume, pretrained_checkpoint, rest, "distillation", values, set, SMALL_CANVAS)
        chosen = start.config
        if not start.weights and not chosen.model.pretrained:
            typer.echo("distillation.unfreezing: none, as the student starts from nothing")
            settings = Distillation.model_validate(chosen.distillation.model_dump() | {"unfreezing": None})
            chosen = chosen.model_copy(update={"distillation": settings})
        folder = run_folder(output, chosen.name, start.resumed)
        photos, boxed = training_photos(chosen, boxes_ann, boxes_images, outlined=False)
        exhaustive = exhaustive_photos(chosen)
        photos += outlined_by(boxed, boxes_teacher)
        task = DistillationTask(start.model, teacher, chosen)
        wrap, join = DistillationDataset, collate_distillation
        best = run(task, photos, exhaustive, folder, DISTILLATION, start.resumed, wrap, join)
        tell_end(best, chosen, "train")


def train(
    config: Config = None,
    train_ann: TrainAnnotations = None,
    val_ann: ValAnnotations = None,
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
    from hiseg_training.cli.starting import (
        begin,
        check_boxes_teacher,
        outlined_by,
        outlined_validation_photos,
        tell_end,
        training_photos,
    )
    from hiseg_training.config.run import Instances
    from hiseg_training.engine.callbacks import INSTANCES
    from hiseg_training.engine.instances import InstanceTask
    from hiseg_training.engine.trainer import run

    with cli_errors():
        check_boxes_teacher(boxes_ann, boxes_teacher)
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        )
        start = begin(config, resume, pretrained_checkpoint, rest, "instance", values, set)
        chosen = start.config
        if chosen.instances.coarse == "auto":
            coarse = "frozen" if start.weights else "trained"
            typer.echo(f"instances.coarse: {coarse}, as the run starts from {start.weights or 'nothing'}")
            instances = Instances.model_validate({**chosen.instances.model_dump(), "coarse": coarse})
            chosen = chosen.model_copy(update={"instances": instances})
        folder = run_folder(output, chosen.name, start.resumed)
        photos, boxed = training_photos(chosen, boxes_ann, boxes_images)
        validation = outlined_validation_photos(chosen)
        photos += outlined_by(boxed, boxes_teacher)
        task = InstanceTask(start.model, chosen)
        best = run(task, photos, validation, folder, INSTANCES, start.resumed)
        tell_end(best, chosen, "publish")
