"""Stage 2: a student's coarse stage learns from a teacher's, from its answers and from what its decoder sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from hiseg_training.compat.unet import UNetStage
from hiseg_training.config.run import Configuration
from hiseg_training.data.dataset import Batch, People, Sample, collate
from hiseg_training.engine.foreground import foreground_iou, told, truth
from hiseg_training.engine.task import Group, Task
from hiseg_training.losses.distillation import DistillationLoss
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.models.coarse import CoarseStage, look
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit
from hiseg_training.models.outputs import Coarse
from hiseg_training.models.unfreezing import unfreeze


class Scene(NamedTuple):
    """Canvases, and whether it is known, or guessed by a model, who is where on each, bool ``[B]``."""

    batch: Batch
    known: torch.Tensor


class Scenes(Dataset[tuple[Sample, bool]]):
    """Samples that say whether their photo is outlined."""

    def __init__(self, people: People) -> None:
        self.people = people

    def __getitem__(self, key: int) -> tuple[Sample, bool]:
        return self.people[key], self.people.photos[key % len(self.people)].outlined


def collate_scenes(rows: Sequence[tuple[Sample, bool]]) -> Scene:
    """Stack canvases."""
    return Scene(collate([sample for sample, _ in rows]), torch.tensor([known for _, known in rows]))


class Teacher(NamedTuple):
    """A coarse stage that has learnt, and how much it wants canvases reduced."""

    stage: CoarseStage | UNetStage
    reduction: int


class DistillationTask(Task):
    """Trains the coarse stage of a student, its last layer included.

    Args:
        teacher: stands still.
    """

    def __init__(self, model: HierarchicalModel, teacher: Teacher, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        settings = configuration.distillation
        freeze(model.fine)
        freeze(teacher.stage)
        # In a tuple it is no part of the task: not trained, not averaged, not saved.
        self._teacher = teacher
        self._levels = settings.levels
        ours, theirs = (self._chosen(stage.level_channels) for stage in (model.coarse, teacher.stage))
        self.loss = DistillationLoss(settings.weights, ours, theirs)
        self.teacher_score: float | None = None
        self.student_score = 0.0
        self._taught = [0.0, 0]

    def _chosen(self, levels: Sequence[Any]) -> list[Any]:
        return [levels[level] for level in self._levels]

    def groups(self) -> list[Group]:
        encoder = {id(weight) for weight in self.model.coarse.encoder.parameters()}
        unfreezing = self.configuration.distillation.unfreezing
        weights = list(self.model.coarse.parameters())
        return [
            Group([w for w in weights if id(w) not in encoder] + list(self.loss.parameters())),
            Group([w for w in weights if id(w) in encoder], unfreezing.encoder_rate if unfreezing else 1.0),
        ]

    def on_fit_start(self) -> None:
        self._teacher.stage.to(self.device)

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        if self.configuration.distillation.unfreezing:
            unfreeze(self.model.coarse, self.current_epoch, self.configuration.distillation.unfreezing)

    def ask(self, images: torch.Tensor, rois: torch.Tensor) -> Coarse:
        """The teacher's view of canvases as :func:`to_unit` gives them, and of the boxes that are known."""
        with torch.no_grad():
            return look(self._teacher.stage, images, rois, self._teacher.reduction)

    def terms(self, scene: Scene) -> dict[str, torch.Tensor]:
        settings, images = self.configuration.distillation, to_unit(scene.batch.images)
        rois = told(scene.batch)
        student, teacher = self.model.run_coarse(images, rois), self.ask(images, rois)
        size = (student.logits.shape[2], student.logits.shape[3])
        task = None
        count = int(scene.known.sum())
        # A process without a photo that is known learns as the others do, from its part of nothing.
        if float(self.across(torch.tensor([float(count)]))):
            where = truth(scene.batch, size)[scene.known]
            task = foreground_loss(student.logits[scene.known], where, self.configuration.foreground)["total"]
            task = task * self.balance(count)
        share = settings.share.most
        if self.teacher_score is not None:
            share = settings.share.at(self.student_score, self.teacher_score)
        temperature = settings.temperature.at(self.current_epoch)
        self.log_dict({"distill/temperature": temperature, "distill/share": share}, batch_size=1)
        logits = F.interpolate(teacher.logits, size=size, mode="bilinear", align_corners=False)
        return self.loss(  # type: ignore[no-any-return]
            Coarse(student.logits, student.features, tuple(self._chosen(student.levels))),
            Coarse(logits, teacher.features, tuple(self._chosen(teacher.levels))),
            temperature,
            share,
            task,
        )

    def scores(self, batch: Batch) -> torch.Tensor:
        images = to_unit(batch.images)
        if self.teacher_score is None:
            taught = foreground_iou(self.ask(images, batch.rois), batch.identities)
            self._taught = [self._taught[0] + float(taught.sum()), self._taught[1] + len(taught)]
        return foreground_iou(self.model.run_coarse(images, batch.rois), batch.identities)

    def on_validation_epoch_end(self) -> None:
        total, count = self.across(torch.tensor([self._sum, float(self._count)], dtype=torch.float64)).tolist()
        self.student_score = total / max(1.0, count)
        if self.teacher_score is None:
            total, count = self.across(torch.tensor(self._taught, dtype=torch.float64)).tolist()
            self.teacher_score = total / max(1.0, count)
        super().on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["distillation"] = {"teacher": self.teacher_score, "student": self.student_score}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.teacher_score = checkpoint["distillation"]["teacher"]
        self.student_score = checkpoint["distillation"]["student"]
