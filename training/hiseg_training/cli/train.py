"""``hiseg-train train``: stage 3, one mask per person."""

from __future__ import annotations

from pathlib import Path

import typer

from hiseg_training.cli.boxes import BoxesAnn, BoxesTeacher, boxed, check_outlined
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
from hiseg_training.config.run import Instances
from hiseg_training.data.eval_dataset import read_photos


def train(
    config: Config = None,
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
    """Train instance segmentation (stage 3).

    Started from a checkpoint the coarse stage is frozen; started from nothing it learns along.
    """
    from hiseg_training.engine.callbacks import INSTANCES
    from hiseg_training.engine.instances import InstanceTask
    from hiseg_training.engine.trainer import run

    with cli_errors():
        check_outlined(boxes_ann, boxes_teacher)
        resumed = latest_match(resume, "resume", rest) if resume else None
        values = common_values(train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate)
        chosen = resolve_config(config, resumed, "instance", values, set)
        data = chosen.data
        weights = initial_weights(resumed, pretrained_checkpoint, rest)
        model = initial_model(chosen.model, weights, chosen.schedule.seed)
        if chosen.instances.coarse == "auto":
            coarse = "frozen" if weights else "trained"
            typer.echo(f"instances.coarse: {coarse}, as the run starts from {weights or 'nothing'}")
            chosen = chosen.model_copy(
                update={"instances": Instances.model_validate({**chosen.instances.model_dump(), "coarse": coarse})}
            )
        folder = run_folder(output, chosen.name, resumed)
        photos = read_photos(data.train_ann, data.train_images, "train", data.limit)
        if boxes_ann is not None:
            photos += boxed(boxes_ann, boxes_images, data.limit, boxes_teacher)
        views = read_photos(data.val_ann, data.val_images, "val", data.limit)
        run(InstanceTask(model, with_model_config(chosen, model)), photos, views, folder, INSTANCES, resumed)
        typer.echo(f"wrote {folder / 'checkpoints'}")
