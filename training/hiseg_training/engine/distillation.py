"""Stage 2: a student's coarse stage learns from a teacher's, from its predictions and its decoder's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.utils.data import Dataset

from hiseg_training.config.run import Configuration
from hiseg_training.data.dataset import Batch, PersonDataset, Sample, collate
from hiseg_training.engine.foreground import foreground_iou, target_coverage, visible_rois
from hiseg_training.engine.task import SCORE, Mean, Task, WeightGroup, encoder_apart
from hiseg_training.losses.distillation import DistillationLoss
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.models.coarse import CoarseNetwork, CoarseOutput, run_coarse
from hiseg_training.models.freezing import freeze, unfreeze
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit


class DistillationBatch(NamedTuple):
    """Canvases some of which have masks.

    Attributes:
        batch: the canvases.
        labeled: bool ``[B]``, whether a canvas has masks, drawn by people or by a model.
    """

    batch: Batch
    labeled: torch.Tensor


class DistillationDataset(Dataset[tuple[Sample, bool]]):
    """Samples, each with whether its image has masks."""

    def __init__(self, people: PersonDataset) -> None:
        self.people = people

    def __getitem__(self, key: int) -> tuple[Sample, bool]:
        return self.people[key], self.people.photos[key % len(self.people)].outlined


def collate_distillation(rows: Sequence[tuple[Sample, bool]]) -> DistillationBatch:
    """Stack the rows of a :class:`DistillationDataset`."""
    return DistillationBatch(collate([sample for sample, _ in rows]), torch.tensor([labeled for _, labeled in rows]))


class Teacher(NamedTuple):
    """A trained coarse stage to learn from.

    Attributes:
        stage: the network.
        reduction: canvas pixels along a side that become one pixel of its input.
    """

    stage: CoarseNetwork
    reduction: int


class DistillationTask(Task):
    """Trains the coarse stage of a student, its last layer included.

    Args:
        model: the student.
        teacher: is frozen.
        configuration: of the run.
    """

    def __init__(self, model: HierarchicalModel, teacher: Teacher, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        settings = configuration.distillation
        freeze(model.fine)
        freeze(teacher.stage)
        # Inside a tuple the teacher is no submodule of the task: it isn't trained, averaged or saved.
        self._teacher = teacher
        self._levels = settings.levels
        ours, theirs = (self._matched_levels(stage.level_channels) for stage in (model.coarse, teacher.stage))
        self.loss = DistillationLoss(settings.weights, ours, theirs)
        self.teacher_score: float | None = None
        self.student_score = 0.0
        self._teacher_mean = Mean()

    def _matched_levels(self, levels: Sequence[Any]) -> list[Any]:
        """Those of a decoder's levels whose features are matched."""
        return [levels[level] for level in self._levels]

    def weight_groups(self) -> list[WeightGroup]:
        unfreezing = self.configuration.distillation.unfreezing
        coarse = self.model.coarse
        groups = encoder_apart(coarse, coarse.encoder, unfreezing.encoder_rate if unfreezing else 1.0)
        return [*groups, WeightGroup(list(self.loss.parameters()))]

    def on_fit_start(self) -> None:
        self._teacher.stage.to(self.device)

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        if self.configuration.distillation.unfreezing:
            unfreeze(self.model.coarse, self.current_epoch, self.configuration.distillation.unfreezing)

    def run_teacher(self, images: torch.Tensor, rois: torch.Tensor) -> CoarseOutput:
        """The teacher's prediction, without gradients.

        Args:
            images: canvases, float 0..1 ``[B, 3, H, W]``.
            rois: known boxes, float ``[N, 5]``.
        """
        with torch.no_grad():
            return run_coarse(self._teacher.stage, images, rois, self._teacher.reduction)

    def loss_terms(self, batch: DistillationBatch) -> dict[str, torch.Tensor]:
        canvases, labeled = batch
        settings, images = self.configuration.distillation, to_unit(canvases.images)
        rois = visible_rois(canvases)
        student, teacher = self.model.run_coarse(images, rois), self.run_teacher(images, rois)
        size = (student.logits.shape[2], student.logits.shape[3])
        task = None
        count = int(labeled.sum())
        # If any process has a labeled canvas, all of them compute the task's loss; its weight is 0 where there is none.
        if float(self.sum_over_processes(torch.tensor([float(count)]))):
            target = target_coverage(canvases, size)[labeled]
            task = foreground_loss(student.logits[labeled], target, self.configuration.foreground)["total"]
            task = task * self.balance(count)
        share = settings.share.most
        if self.teacher_score is not None:
            share = settings.share.at(self.student_score, self.teacher_score)
        temperature = settings.temperature.at(self.current_epoch)
        self.log_dict({"distill/temperature": temperature, "distill/share": share}, batch_size=1)
        logits = F.interpolate(teacher.logits, size=size, mode="bilinear", align_corners=False)
        terms: dict[str, torch.Tensor] = self.loss(
            CoarseOutput(student.logits, tuple(self._matched_levels(student.levels))),
            CoarseOutput(logits, tuple(self._matched_levels(teacher.levels))),
            temperature,
            share,
            task,
        )
        return terms

    def scores(self, batch: Batch) -> torch.Tensor:
        return foreground_iou(self.model.run_coarse(to_unit(batch.images), batch.rois), batch.identities)

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        super().validation_step(batch, batch_idx, dataloader_idx)
        if self.teacher_score is None and dataloader_idx == 0:
            teacher = self.run_teacher(to_unit(batch.images), batch.rois)
            self._teacher_mean.add(foreground_iou(teacher, batch.identities))

    def on_validation_epoch_end(self) -> None:
        self.student_score = self.mean_over_processes(self._means[SCORE])
        if self.teacher_score is None:
            self.teacher_score = self.mean_over_processes(self._teacher_mean)
        super().on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_save_checkpoint(checkpoint)
        checkpoint["distillation"] = {"teacher": self.teacher_score, "student": self.student_score}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.teacher_score = checkpoint["distillation"]["teacher"]
        self.student_score = checkpoint["distillation"]["student"]
