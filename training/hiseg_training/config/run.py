"""Configuration of a training run: model, losses, data and schedule as one validated record, stored in checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from hiseg_training.config.model import ModelConfig, Size
from hiseg_training.losses.distillation import DistillationConfig
from hiseg_training.losses.foreground import ForegroundLossConfig
from hiseg_training.losses.instance import LossConfig
from hiseg_training.losses.schedules import TeacherShare, TemperatureSchedule
from hiseg_training.models.freezing import UnfreezeSchedule

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]
"""Any number of files or folders; one may be given by itself."""
Side = Annotated[int, Field(ge=24, multiple_of=4)]


class Record(BaseModel):
    """An immutable record; unknown field names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Record):
    """Data of a run, and how samples are made of it.

    Attributes:
        train_ann: COCO files of people to train on; none is the ``train`` split of ``HISEG_DATA``.
        val_ann: COCO file of people by which the best checkpoint is chosen; None is the ``val`` split.
        train_images: folders of the images, one for each of those files; none are the folders beside the annotations
            that the files' names point to.
        val_images: folder of the images of ``val_ann``; None is the one beside it.
        categories: names of the categories that are people, in any case.
        limit: use only this many images of each file; 0 is all.
        canvas: (height, width) of a sample.
        scales: smallest and largest size of an image on the canvas, as multiples of the size that just fits.
        people: maximum number of RoIs on a canvas.
        paste: probability that a person from another image is pasted into the foreground.
        things: in stage 3, probability that an animal is pasted before or beside a person, where there are any.
        jitter: largest shift of a loose box's edge, as a fraction of the box's side.
        loose: probability that a box is loose.
        ccp: fraction of the Clothing Co-Parsing images that is used in each epoch.
        colour: in stage 3, strength of changes of colour, 0..1.
        crops: folder in which stage 3 keeps people's crops for other runs; None is ``hiseg/crops`` in the user's cache.
        augment: False takes images and boxes as they are, to check whether a few images can be overfitted.
        workers: number of processes that make samples; the samples don't depend on it.
    """

    train_ann: Paths = ()
    val_ann: Path | None = None
    train_images: Paths = ()
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
    things: Share = 0.15
    jitter: Annotated[float, Field(ge=0, le=0.5)] = 0.12
    loose: Share = 0.6
    ccp: Share = 0.4
    colour: Share = 1.0
    crops: Path | None = None
    augment: bool = True
    workers: Annotated[int, Field(ge=0)] = 1

    @field_validator("train_images")
    @classmethod
    def _one_for_each_file(cls, folders: tuple[Path, ...], info: ValidationInfo) -> tuple[Path, ...]:
        files = info.data.get("train_ann", ())
        if folders and len(folders) != len(files):
            raise ValueError(f"there are {len(folders)} of them for {len(files)} files (data.train_ann)")
        return folders


class Schedule(Record):
    """Duration, optimiser and precision of a run.

    Attributes:
        epochs: passes over the images.
        minutes: stop after this time, with the learning rate decayed to its end by then; 0 is no limit.
        batch_size: canvases a step, of all processes together; in stage 3 crops of people of full size, and up to
            half as many more of smaller ones.
        accumulate: number of batches whose gradients are added up for one step.
        learning_rate: at its peak.
        encoder_rate: learning rate of the encoder as a share of the rest's, in stages 1 and 3; below 1 where it starts
            from ImageNet weights.
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
    encoder_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
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
    """Settings of stage 3, which trains the fine stage on crops of people.

    Attributes:
        early: sizes of the crops that the run begins with, and for how long: shares of the run, and (height, width).
            The rest of the run has crops of the model's mask size. Smaller crops train faster, and a step takes more
            of them (see :attr:`Schedule.batch_size`).
    """

    early: tuple[tuple[Share, tuple[Side, Side]], ...] = ()

    @field_validator("early")
    @classmethod
    def _within_a_run(cls, early: tuple[tuple[float, Size], ...]) -> tuple[tuple[float, Size], ...]:
        if sum(share for share, _ in early) > 1:
            raise ValueError("the shares are more than the whole run")
        return early

    def size_at(self, progress: float, mask_size: Size) -> Size:
        """(height, width) of the crops at ``progress`` 0..1 of a run; ``mask_size`` is the model's."""
        end = 0.0
        for share, size in self.early:
            end += share
            if progress < end:
                return size
        return mask_size


class Finding(Record):
    """Settings of the finder's training.

    Attributes:
        view: (height, width) of what it learns from, in pixels of the reduced canvas.
        draws: views in an epoch.
        mosaic: share of views that are parts of four photos.
        nobody: how often a photo of nobody is drawn, as a share of how often others are.
    """

    view: tuple[Annotated[int, Field(ge=32, multiple_of=32)], Annotated[int, Field(ge=32, multiple_of=32)]] = (256, 256)
    draws: Count = 3200
    mosaic: Share = 0.4
    nobody: Share = 0.35


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
        kind: whether it is for stage 3, ``instance``, for stage 2, ``distillation``, or for a finder, ``find``; stage 1
            takes any.
        model: architecture of what is trained.
        loss: weights of the fine stage's loss.
        foreground: weights of the coarse stage's loss.
        data: images, and how samples are made of them.
        schedule: duration, optimiser and precision.
        instances: settings of stage 3.
        distillation: settings of stage 2.
        finding: settings of the finder's training.
    """

    name: str
    kind: Literal["instance", "distillation", "find"]
    model: ModelConfig
    loss: LossConfig = LossConfig()
    foreground: ForegroundLossConfig = ForegroundLossConfig()
    data: Data = Data()
    schedule: Schedule = Schedule()
    instances: Instances = Instances()
    distillation: Distillation = Distillation()
    finding: Finding = Finding()

    @property
    def canvas(self) -> Size:
        """(height, width) of a sample."""
        return self.data.canvas
