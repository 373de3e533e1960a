"""Stage 3: the fine stage learns which pixels are whose, from crops that were cut out of the photos beforehand."""

from __future__ import annotations

import torch

from hiseg_training.config.model import TARGET, UNKNOWN
from hiseg_training.config.run import Configuration
from hiseg_training.crops.batch import CropBatch
from hiseg_training.engine.task import Task, WeightGroup, encoder_apart, mask_iou
from hiseg_training.losses.instance import InstanceLoss
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel


class InstanceTask(Task):
    """Trains the fine stage; the coarse stage is frozen."""

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        self.loss = InstanceLoss(configuration.loss)
        freeze(model.coarse)

    def weight_groups(self) -> list[WeightGroup]:
        fine = self.model.fine
        return encoder_apart(fine, fine.encoder, self.configuration.schedule.encoder_rate)

    def inputs(self, batch: CropBatch) -> torch.Tensor:
        """What the fine stage reads of a batch: float ``[N, C, h, w]``."""
        return self.model.crop_inputs(batch.pixels, batch.boxes, batch.aspect)

    def loss_terms(self, batch: CropBatch) -> dict[str, torch.Tensor]:
        terms = self.loss(self.model.fine.outputs(self.inputs(batch)), batch.labels.long())
        terms["total"] = terms["total"] * self.balance(len(batch.labels))
        return terms

    def scores(self, batch: CropBatch) -> torch.Tensor:
        """IoU of each person inside their box, at the resolution of the crops, where it is known whose pixels are."""
        counted = (batch.boxes[:, 0] > 0) & (batch.labels != UNKNOWN)
        predicted = self.model.fine(self.inputs(batch)).argmax(1) == TARGET
        return mask_iou(predicted & counted, (batch.labels == TARGET) & counted)
