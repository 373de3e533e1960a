"""``hiseg-train train-finder``: trains what finds people where no box is known."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hiseg_training.cli.errors import cli_errors
from hiseg_training.cli.options import (
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
    tell,
)
from hiseg_training.cli.stages import BoxesAnn, NobodyAnn, PartialAnn

if TYPE_CHECKING:
    from hiseg_training.config.run import Configuration
    from hiseg_training.models.hierarchical import HierarchicalModel


def train_finder(
    config: Config = None,
    train_ann: TrainAnnotations = None,
    val_ann: ValAnnotations = None,
    train_images: TrainImages = None,
    val_images: Images = None,
    boxes_ann: BoxesAnn = None,
    boxes_images: Images = None,
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
    """Train a finder: people's boxes and everybody's foreground, no box known.

    Photos in which somebody isn't annotated are left out. Of the photos of nobody, 200 are not learnt from: false finds
    are counted there. Of a pretrained checkpoint the coarse stage's encoder is taken.
    """
    from hiseg_training.cli.starting import (
        exhaustive_photos,
        nobody_photos,
        only_exhaustive,
        resolve_config,
        tell_end,
        training_photos,
    )
    from hiseg_training.engine.callbacks import FINDER
    from hiseg_training.engine.finder_loaders import finder_loaders, hold_out, scored_photos
    from hiseg_training.engine.finding import FinderTask
    from hiseg_training.engine.trainer import run

    with cli_errors():
        values = common_values(
            train_ann, val_ann, train_images, val_images, epochs, batch_size, learning_rate, category
        )
        resumed = latest_match(resume, "resume", rest) if resume else None
        chosen = resolve_config(config, resumed, "find", values, set)
        start = latest_match(pretrained_checkpoint, "pretrained_checkpoint", rest) if pretrained_checkpoint else None
        model = _initial_finder(chosen, resumed or start)
        folder = run_folder(output, chosen.name, resumed)
        photos, boxed = training_photos(chosen, boxes_ann, boxes_images, False, partial_ann)
        animals, empty = hold_out(nobody_photos(chosen, nobody_ann, nobody_images))
        photos = [*only_exhaustive([*photos, *boxed], "annotated"), *(replace(photo, people=()) for photo in animals)]
        scored = scored_photos(
            chosen, photos, [*exhaustive_photos(chosen), *(replace(photo, people=()) for photo in empty)]
        )
        task = FinderTask(model, chosen, *scored)
        best = run(task, partial(finder_loaders, chosen, photos, scored), folder, FINDER, resumed)
        tell_end(best, chosen, "publish")


def _initial_finder(config: Configuration, path: Path | None) -> HierarchicalModel:
    """Build a model with a finder; its encoder starts from that of a checkpoint's coarse stage, if one is given.

    Raises:
        ValueError: the encoder of the checkpoint is another one.
    """
    import torch

    from hiseg_training.engine.checkpoints import load_coarse
    from hiseg_training.models.hierarchical import HierarchicalModel

    torch.manual_seed(config.schedule.seed)
    model = HierarchicalModel(config.model)
    if path is not None:
        weights = load_coarse(path).stage.encoder.state_dict()
        own = model.coarse.encoder.state_dict()
        unfit = [name for name, value in own.items() if name not in weights or weights[name].shape != value.shape]
        if unfit:
            raise ValueError(f"pretrained_checkpoint: the coarse stage of {path} has another encoder: no {unfit[0]}")
        model.coarse.encoder.load_state_dict({name: weights[name] for name in own})
        tell(f"{path}: the encoder of the coarse stage")
    return model
