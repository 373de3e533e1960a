"""``hiseg-train pretrain``: stage 1, where anybody is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from hiseg_training.data.eval_dataset import read_photos

CANVAS = {"data.canvas": [384, 384], "data.scales": [0.8, 2.0]}
"""The coarse stage sees reduced canvases anyway: small ones, cut out of larger views, train it faster."""


def pretrain(
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
        check_outlined(boxes_ann, boxes_teacher)
        resumed = latest_match(resume, "resume", rest) if resume else None
        values = common_values(train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate)
        chosen = resolve_config(config, resumed, None, values, set, CANVAS)
        data = chosen.data
        weights = initial_weights(resumed, pretrained_checkpoint, rest)
        model = initial_model(chosen.model, weights, chosen.schedule.seed)
        if from_fine and resumed is None:
            if weights is None:
                raise ValueError("from_fine: there is no fine stage without a pretrained_checkpoint")
            model.start_coarse_from_fine()
        folder = run_folder(output, f"{chosen.name}_pretrain", resumed)
        photos = read_photos(data.train_ann, data.train_images, "train", data.limit)
        if boxes_ann is not None:
            photos += boxed(boxes_ann, boxes_images, data.limit, boxes_teacher)
        views = [p for p in read_photos(data.val_ann, data.val_images, "val", data.limit) if p.exhaustive]
        run(ForegroundTask(model, with_model_config(chosen, model)), photos, views, folder, FOREGROUND, resumed)
        typer.echo(f"wrote {folder / 'checkpoints'}")
