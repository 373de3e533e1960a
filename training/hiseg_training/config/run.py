"""Configuration of a training run: model, losses, data and schedule as one validated record, stored in checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hiseg_training.config.model import ModelConfig, Size
from hiseg_training.losses.distillation import DistillationConfig
from hiseg_training.losses.foreground import ForegroundLossConfig
from hiseg_training.losses.instance import LossConfig
from hiseg_training.losses.schedules import TeacherShare, TemperatureSchedule
from hiseg_training.models.freezing import UnfreezeSchedule

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Record(BaseModel):
    """An immutable record; unknown field names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Record):
    """Data of a run, and how samples are made of it.

    Attributes:
        train_ann: COCO file of people to train on; None is the ``train`` split of ``HISEG_DATA``.
        val_ann: COCO file of people by which the best checkpoint is chosen; None is the ``val`` split.
        train_images: folder of the images; None is the folder beside the annotations that the file's name points to.
        val_images: the same for ``val_ann``.
        categories: names of the categories that are people, in any case.
        limit: use only this many images of each file; 0 is all.
        canvas: (height, width) of a sample.
        scales: smallest and largest size of an image on the canvas, as multiples of the size that just fits.
        people: maximum number of RoIs on a canvas.
        paste: probability that a person from another image is pasted into the foreground.
        jitter: largest shift of a loose box's edge, as a fraction of the box's side.
        loose: probability that a box is loose.
        ccp: fraction of the Clothing Co-Parsing images that is used in each epoch.
        augment: False takes images and boxes as they are, to check whether a few images can be overfitted.
        workers: number of processes that make samples; the samples don't depend on it.
    """

    train_ann: Path | None = None
    val_ann: Path | None = None
    train_images: Path | None = None
    val_images: Path | None = None
    categories: Annotated[tuple[str, ...], Field(min_length=1)] = ("person",)
    limit: Annotated[int, Field(ge=0)] = 0
    canvas: tuple[Annotated[int, Field(ge=32, multiple_of=32)], Annotated[int, Field(ge=32, multiple_of=32)]] = (
        640,
        640,
    )
    scales: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.8, 1.25)
    people: Count = 4
    paste: Share = 0.4
    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.12
    loose: Share = 0.6
    ccp: Share = 0.4
    augment: bool = True
    workers: Annotated[int, Field(ge=0)] = 1


class Schedule(Record):
    """Duration, optimiser and precision of a run.

    Attributes:
        epochs: passes over the images.
        minutes: stop after this time, with the learning rate decayed to its end by then; 0 is no limit.
        batch_size: canvases a step, of all processes together.
        accumulate: number of batches whose gradients are added up for one step.
        learning_rate: at its peak.
        final_rate: learning rate at the end, as a fraction of the peak.
        warm_up: fraction of all steps during which the rate rises.
        weight_decay: of matrices and filters; biases and norms have none.
        clip: largest norm of the gradient.
        average: largest decay of the exponential moving average of the weights, approached as the run goes on.
        patience: end the run after this many epochs without a better score; 0 is never.
        keep: number of latest epochs whose checkpoints are kept.
        precision: ``auto`` is bf16 on a GPU and float32 on a CPU.
        seed: random seed of weights and samples.
    """

    epochs: Count = 100
    minutes: Annotated[float, Field(ge=0)] = 0.0
    batch_size: Count = 12
    accumulate: Count = 1
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    final_rate: Share = 0.01
    warm_up: Share = 0.02
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    clip: Annotated[float, Field(gt=0)] = 5.0
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    patience: Annotated[int, Field(ge=0)] = 20
    keep: Count = 3
    precision: Literal["auto", "32-true", "bf16-mixed", "16-mixed"] = "auto"
    seed: int = 0


class Instances(Record):
    """Settings of stage 3, which trains the fine stage.

    Attributes:
        coarse: ``frozen`` uses the coarse stage as it is; ``trained`` trains it too; ``absent`` does without it;
            ``auto`` is frozen if the run starts from a checkpoint, and trained if it starts from random weights.
        divisor: train on crops whose sides are the model's divided by this; smaller ones train faster.
    """

    coarse: Literal["auto", "frozen", "trained", "absent"] = "auto"
    divisor: Literal[1, 2] = 1


class Distillation(Record):
    """Settings of stage 2, which trains a student's coarse stage from a teacher's.

    Attributes:
        teacher: variant of the teacher.
        temperature: of the soft labels, by epoch.
        share: weight of the teacher's terms in the loss.
        weights: of the teacher's terms against each other.
        unfreezing: schedule by which a pretrained encoder starts to learn; None trains it from the first epoch on.
        levels: decoder levels whose features are matched; 0 is the deepest.
    """

    teacher: str = "b7"
    temperature: TemperatureSchedule = TemperatureSchedule()
    share: TeacherShare = TeacherShare()
    weights: DistillationConfig = DistillationConfig()
    unfreezing: UnfreezeSchedule | None = UnfreezeSchedule()
    levels: tuple[Annotated[int, Field(ge=0, le=3)], ...] = (1, 2, 3)


class Configuration(Record):
    """Configuration of one run.

    Attributes:
        name: in upstream's spelling; also the name of the folder of its checkpoints.
        kind: whether it is for stage 3, ``instance``, or for stage 2, ``distillation``; stage 1 takes both.
        model: architecture of what is trained.
        loss: weights of the fine stage's loss.
        foreground: weights of the coarse stage's loss.
        data: images, and how samples are made of them.
        schedule: duration, optimiser and precision.
        instances: settings of stage 3.
        distillation: settings of stage 2.
    """

    name: str
    kind: Literal["instance", "distillation"]
    model: ModelConfig
    loss: LossConfig = LossConfig()
    foreground: ForegroundLossConfig = ForegroundLossConfig()
    data: Data = Data()
    schedule: Schedule = Schedule()
    instances: Instances = Instances()
    distillation: Distillation = Distillation()

    @property
    def canvas(self) -> Size:
        """(height, width) of a sample."""
        return self.data.canvas
