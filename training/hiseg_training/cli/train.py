"""``hiseg-train train``: stage 3, one mask per person."""

from __future__ import annotations

from pathlib import Path

import typer

from hiseg_training.cli.boxes import BoxesAnn, BoxesTeacher, boxed, check_outlined
from hiseg_training.cli.errors import refused_plainly
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
    common,
    folder_of,
    newest,
    settled,
    start,
    start_from,
    with_model,
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

    with refused_plainly():
        check_outlined(boxes_ann, boxes_teacher)
        resumed = newest(resume, "resume", rest) if resume else None
        values = common(train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate)
        chosen = settled(config, resumed, "instance", values, set)
        data = chosen.data
        weights = start_from(resumed, pretrained_checkpoint, rest)
        model = start(chosen.model, weights, chosen.schedule.seed)
        if chosen.instances.coarse == "auto":
            coarse = "frozen" if weights else "trained"
            typer.echo(f"instances.coarse: {coarse}, as the run starts from {weights or 'nothing'}")
            chosen = chosen.model_copy(
                update={"instances": Instances.model_validate({**chosen.instances.model_dump(), "coarse": coarse})}
            )
        folder = folder_of(output, chosen.name, resumed)
        photos = read_photos(data.train_ann, data.train_images, "train", data.limit)
        if boxes_ann is not None:
            photos += boxed(boxes_ann, boxes_images, data.limit, boxes_teacher)
        views = read_photos(data.val_ann, data.val_images, "val", data.limit)
        run(InstanceTask(model, with_model(chosen, model)), photos, views, folder, INSTANCES, resumed)
        typer.echo(f"wrote {folder / 'checkpoints'}")
