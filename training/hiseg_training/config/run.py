"""A run as one validated record: what is trained, on what, for how long; it travels inside every checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hiseg_training.config.model import ModelConfig, Size
from hiseg_training.losses.distillation import DistillationConfig
from hiseg_training.losses.foreground import ForegroundLossConfig
from hiseg_training.losses.instance import LossConfig
from hiseg_training.losses.schedules import TeacherShare, TemperatureSchedule
from hiseg_training.models.unfreezing import UnfreezeSchedule

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Record(BaseModel):
    """Frozen; a name that it doesn't know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Data(Record):
    """What is learnt from.

    Attributes:
        train_ann: COCO file of people; None is the ``train`` split of ``HISEG_DATA``.
        val_ann: the same to choose the best by; None is its ``val`` split.
        train_images: folder of its images; None is the folder beside the annotations that the file's name points to.
        val_images: the same for ``val_ann``.
        limit: only the first so many photos of each; 0 is all.
        canvas: (height, width) of a sample.
        scales: least and largest size of a picture on it, as multiples of what just fits.
        people: RoIs a canvas at most.
        paste: chance that somebody from another photo is put in front.
        jitter: largest shift of a loose box's edge, as a share of its side.
        loose: chance that a box is loose.
        ccp: share of the Clothing Co-Parsing photos that is seen each epoch.
        augment: False takes pictures and boxes as they are, to see whether a few photos can be learnt by heart.
        workers: processes that make samples; samples don't depend on it.
    """

    train_ann: Path | None = None
    val_ann: Path | None = None
    train_images: Path | None = None
    val_images: Path | None = None
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
    """How long and how fast.

    Attributes:
        epochs: passes over the photos.
        minutes: stop earlier if so much time has gone, with the learning rate at its end too; 0 is no limit.
        batch_size: canvases a step, of all processes together.
        accumulate: batches whose gradients are added up to one step.
        learning_rate: at its peak.
        final_rate: at the end, as a share of the peak.
        warm_up: share of all steps on which the rate rises.
        weight_decay: of matrices and filters; biases and norms have none.
        clip: largest norm of the gradient.
        average: most of the averaged weights that a step keeps; its memory grows up to that.
        patience: epochs without a better score after which a run ends; 0 is never.
        keep: checkpoints of the last so many epochs stay.
        precision: ``auto`` is bf16 on a GPU and float32 on a CPU.
        seed: of weights and samples.
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
    """Stage 3.

    Attributes:
        coarse: ``frozen`` stands still and is looked at; ``trained`` learns along; ``absent`` isn't looked at;
            ``auto`` is frozen where a run starts from a checkpoint, and trained where it starts from nothing.
        divisor: crops are so many times smaller a side than the model's: shapes are learnt faster.
    """

    coarse: Literal["auto", "frozen", "trained", "absent"] = "auto"
    divisor: Literal[1, 2] = 1


class Distillation(Record):
    """Stage 2.

    Attributes:
        teacher: variant of the teacher.
        temperature: of the soft labels, epoch by epoch.
        share: how much the teacher counts.
        weights: of the teacher's terms.
        unfreezing: of an encoder that has learnt before; None is for one that hasn't, and trains from the start.
        levels: decoder levels whose features are matched, 0 the deepest.
    """

    teacher: str = "b7"
    temperature: TemperatureSchedule = TemperatureSchedule()
    share: TeacherShare = TeacherShare()
    weights: DistillationConfig = DistillationConfig()
    unfreezing: UnfreezeSchedule | None = UnfreezeSchedule()
    levels: tuple[Annotated[int, Field(ge=0, le=3)], ...] = (1, 2, 3)


class Configuration(Record):
    """One run.

    Attributes:
        name: as the source document spells it; also the folder of its checkpoints.
        kind: which of the document's lists it is in.
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
        return self.data.canvas
