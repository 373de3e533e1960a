"""``hiseg-train pretrain``, ``distill`` and ``train``: the three stages of training share most of their options."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
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
    TrainImages,
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
PartialAnn = Annotated[
    Path | None,
    typer.Option(help="COCO file with outlines of some of those boxes, by box_id", metavar="FILE", show_default="none"),
]
NobodyAnn = Annotated[
    Path | None,
    typer.Option(
        help="COCO file of photos of nobody, with outlined animals or things", metavar="FILE", show_default="none"
    ),
]


def pretrain(
    config: Config = None,
    train_ann: TrainAnnotations = None,
    val_ann: ValAnnotations = None,
    train_images: TrainImages = None,
    val_images: Images = None,
    boxes_ann: BoxesAnn = None,
    boxes_images: Images = None,
    boxes_teacher: BoxesTeacher = None,
    nobody_ann: NobodyAnn = None,
    nobody_images: Images = None,
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
        check_boxes,
        exhaustive_photos,
        nobody_photos,
        outlined_by,
        tell_end,
        training_photos,
    )
    from hiseg_training.engine.callbacks import FOREGROUND
    from hiseg_training.engine.foreground import ForegroundTask
    from hiseg_training.engine.loaders import canvas_loaders
    from hiseg_training.engine.trainer import run

    with cli_errors():
        check_boxes(boxes_ann, boxes_teacher)
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
        nobody = nobody_photos(start.config, nobody_ann, nobody_images)
        photos += [replace(photo, people=(), exhaustive=True) for photo in nobody]
        photos += outlined_by(boxed, boxes_teacher)
        task = ForegroundTask(start.model, start.config)
        loaders = partial(canvas_loaders, start.config, photos, exhaustive)
        best = run(task, loaders, folder, FOREGROUND, start.resumed)
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
    train_images: TrainImages = None,
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
    from hiseg_training.engine.loaders import canvas_loaders
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
        loaders = partial(canvas_loaders, chosen, photos, exhaustive, wrap=wrap, collate_fn=join)
        best = run(task, loaders, folder, DISTILLATION, start.resumed)
        tell_end(best, chosen, "train")


def train(
    config: Config = None,
    train_ann: TrainAnnotations = None,
    val_ann: ValAnnotations = None,
    train_images: TrainImages = None,
    val_images: Images = None,
    boxes_ann: BoxesAnn = None,
    boxes_images: Images = None,
    boxes_teacher: BoxesTeacher = None,
    partial_ann: PartialAnn = None,
    nobody_ann: NobodyAnn = None,
    nobody_images: Images = None,
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
    """Train instance segmentation (stage 3): the fine stage, on crops of people that are cut out once."""
    from hiseg_training.cli.starting import (
        begin,
        check_boxes,
        check_outlined,
        nobody_photos,
        outlined_by,
        outlined_validation_photos,
        tell_end,
        training_photos,
    )
    from hiseg_training.engine.callbacks import INSTANCES
    from hiseg_training.engine.instances import InstanceTask
    from hiseg_training.engine.loaders import crop_loaders
    from hiseg_training.engine.trainer import run

    with cli_errors():
        check_boxes(boxes_ann, boxes_teacher, partial_ann)
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        )
        start = begin(config, resume, pretrained_checkpoint, rest, "instance", values, set)
        folder = run_folder(output, start.config.name, start.resumed)
        photos, boxed = training_photos(start.config, boxes_ann, boxes_images, False, partial_ann)
        check_outlined(photos, start.config)
        validation = outlined_validation_photos(start.config)
        animals = nobody_photos(start.config, nobody_ann, nobody_images)
        photos += outlined_by(boxed, boxes_teacher)
        task = InstanceTask(start.model, start.config)
        loaders = partial(crop_loaders, start.config, photos, validation, spent=lambda: task.spent, animals=animals)
        best = run(task, loaders, folder, INSTANCES, start.resumed)
        tell_end(best, start.config, "publish")
