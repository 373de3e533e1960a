"""Stage 3: the fine stage learns whose pixels are whose; the coarse stage runs once an image, whoever is in it."""

from __future__ import annotations

import torch

from hiseg_training.config.run import Configuration
from hiseg_training.data.dataset import Batch
from hiseg_training.engine.foreground import told, truth
from hiseg_training.engine.iou import iou
from hiseg_training.engine.task import Group, Task, moving
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.losses.instance import InstanceLoss
from hiseg_training.losses.labels import TARGET, three_class_labels
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel, inner_resampling, to_unit
from hiseg_training.models.outputs import Coarse
from hiseg_training.models.roi import enlarge, roi_align


class InstanceTask(Task):
    """Trains the fine stage, and the coarse one too where the configuration says so.

    Raises:
        ValueError: ``instances.coarse`` is ``auto``: who starts the run knows what it starts from.
    """

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        if configuration.instances.coarse == "auto":
            raise ValueError("instances.coarse: 'auto' must be settled before a run starts")
        self.loss = InstanceLoss(configuration.loss)
        self.learns_coarse = configuration.instances.coarse == "trained"
        if not self.learns_coarse:
            freeze(model.coarse)
        divisor = configuration.instances.divisor
        self.size = (model.config.mask_size[0] // divisor, model.config.mask_size[1] // divisor)

    def groups(self) -> list[Group]:
        return [Group(moving(self.model.parameters()))]

    def look(self, images: torch.Tensor, rois: torch.Tensor) -> Coarse | None:
        """The coarse stage's view, if it has one that counts."""
        if self.configuration.instances.coarse == "absent":
            return None
        with torch.set_grad_enabled(self.learns_coarse and torch.is_grad_enabled()):
            return self.model.run_coarse(images, rois)

    def terms(self, batch: Batch) -> dict[str, torch.Tensor]:
        images = to_unit(batch.images)
        coarse = self.look(images, told(batch) if self.learns_coarse else batch.rois)
        balance = self.balance(len(batch.rois))
        if len(batch.rois):
            people = self.model.crop_outputs(images, batch.rois, coarse, self.size)
            crops = enlarge(batch.rois, self.model.config.context)
            identities = roi_align(batch.identities.float(), crops, self.size, mode="nearest")
            terms = self.loss(people, three_class_labels(identities, batch.targets))
            terms["total"] = terms["total"] * balance
        else:
            # Nobody on these canvases: the step still has to have gradients, the other processes wait for them.
            terms = {"total": sum((w.sum() * 0.0 for w in moving(self.model.fine.parameters())), images.new_zeros(()))}
        if self.learns_coarse and coarse is not None:
            where = truth(batch, (coarse.logits.shape[2], coarse.logits.shape[3]))
            terms["anybody"] = foreground_loss(coarse.logits, where, self.configuration.foreground)["total"]
            terms["total"] = terms["total"] + terms["anybody"]
        return terms

    def scores(self, batch: Batch) -> torch.Tensor:
        """IoU of each person inside its box, at mask resolution."""
        images = to_unit(batch.images)
        logits = self.model.crop_logits(images, batch.rois, self.look(images, batch.rois), self.size).float()
        rows, columns = (inner_resampling(cells, self.model.config.context).to(logits) for cells in self.size)
        said = (rows @ logits @ columns.T).argmax(1) == TARGET
        identities = roi_align(batch.identities.float(), batch.rois, self.size, mode="nearest")
        there = three_class_labels(identities, batch.targets) == TARGET
        return iou(said, there)
