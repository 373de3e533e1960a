"""Stage 3: the fine stage learns which pixels are whose; the coarse stage runs once per canvas."""

from __future__ import annotations

import torch

from hiseg_training.config.model import TARGET
from hiseg_training.config.run import Configuration
from hiseg_training.data.dataset import Batch
from hiseg_training.engine.foreground import target_coverage, visible_rois
from hiseg_training.engine.task import Task, WeightGroup, mask_iou, trainable
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.losses.instance import InstanceLoss, three_class_labels
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel, inner_resampling, to_unit
from hiseg_training.models.roi import enlarge, roi_align


class InstanceTask(Task):
    """Trains the fine stage, and the coarse one too where ``instances.coarse`` says so.

    Raises:
        ValueError: ``instances.coarse`` is ``auto``, which has to be resolved by whoever knows what the run starts
            from.
    """

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        if configuration.instances.coarse == "auto":
            raise ValueError("instances.coarse: 'auto' must be resolved before a run starts")
        self.loss = InstanceLoss(configuration.loss)
        self.trains_coarse = configuration.instances.coarse == "trained"
        if not self.trains_coarse:
            freeze(model.coarse)
        divisor = configuration.instances.divisor
        self.size = (model.config.mask_size[0] // divisor, model.config.mask_size[1] // divisor)

    def weight_groups(self) -> list[WeightGroup]:
        return [WeightGroup(trainable(self.model.parameters()))]

    def loss_terms(self, batch: Batch) -> dict[str, torch.Tensor]:
        images = to_unit(batch.images)
        coarse = self.model.run_coarse(images, visible_rois(batch)) if self.trains_coarse else None
        balance = self.balance(len(batch.rois))
        if len(batch.rois):
            people = self.model.crop_outputs(images, batch.rois, self.size)
            crops = enlarge(batch.rois, self.model.config.context)
            identities = roi_align(batch.identities.float(), crops, self.size, mode="nearest")
            terms = self.loss(people, three_class_labels(identities, batch.targets))
            terms["total"] = terms["total"] * balance
        else:
            # No people on these canvases: the step still needs gradients, because the other processes wait for them.
            weights = trainable(self.model.fine.parameters())
            terms = {"total": sum((weight.sum() * 0.0 for weight in weights), images.new_zeros(()))}
        if coarse is not None:
            target = target_coverage(batch, (coarse.logits.shape[2], coarse.logits.shape[3]))
            terms["anybody"] = foreground_loss(coarse.logits, target, self.configuration.foreground)["total"]
            terms["total"] = terms["total"] + terms["anybody"]
        return terms

    def scores(self, batch: Batch) -> torch.Tensor:
        """IoU of each person inside their box, at the resolution of the crops."""
        images = to_unit(batch.images)
        logits = self.model.crop_logits(images, batch.rois, self.size).float()
        rows, columns = (inner_resampling(cells, self.model.config.context).to(logits) for cells in self.size)
        predicted = (rows @ logits @ columns.T).argmax(1) == TARGET
        identities = roi_align(batch.identities.float(), batch.rois, self.size, mode="nearest")
        return mask_iou(predicted, three_class_labels(identities, batch.targets) == TARGET)
