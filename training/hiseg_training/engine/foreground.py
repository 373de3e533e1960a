"""Stage 1: the coarse stage learns where any person is."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from hiseg_training.config.run import Configuration
from hiseg_training.data.dataset import Batch
from hiseg_training.engine.task import Task, WeightGroup, encoder_apart, mask_iou
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.models.coarse import CoarseOutput
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit

BOX_DROPOUT = 5
"""One canvas in so many comes without boxes while the coarse stage learns."""


def target_coverage(batch: Batch, size: tuple[int, int]) -> torch.Tensor:
    """Target of the coarse stage: the fraction of each cell that is people.

    Where a model drew the masks it is that model's probability.

    Args:
        batch: the canvases.
        size: (height, width) of the coarse stage's logits.

    Returns:
        float 0..1 ``[B, 1, *size]``.
    """
    anybody = batch.anybody()
    if anybody.shape[2] >= size[0]:
        return F.interpolate(anybody, size=size, mode="area")
    return F.interpolate(anybody, size=size, mode="nearest")


def visible_rois(batch: Batch) -> torch.Tensor:
    """The RoIs that the coarse stage is shown while it learns: on one canvas in :data:`BOX_DROPOUT` none.

    So it learns to find people without boxes too. The canvases are chosen by a checksum of their pixels, so the choice
    is the same in whichever process, and after a resume.

    Returns:
        float ``[N', 5]``, those of ``batch.rois`` that are left.
    """
    checksums = batch.images[:, :, ::8, ::8].sum((1, 2, 3), dtype=torch.int64)
    return batch.rois[(checksums % BOX_DROPOUT != 0)[batch.rois[:, 0].long()]]


def foreground_iou(coarse: CoarseOutput, identities: torch.Tensor) -> torch.Tensor:
    """Mean of the foreground's and the background's IoU of each canvas, upstream's score of its UNets.

    Args:
        coarse: prediction for ``B`` canvases.
        identities: uint8 ``[B, 1, H, W]``, 0 where no person is.

    Returns:
        float 0..1 ``[B]``.
    """
    predicted = coarse.foreground((identities.shape[2], identities.shape[3])) > 0.5
    target = identities > 0
    return (mask_iou(predicted, target) + mask_iou(~predicted, ~target)) / 2


class ForegroundTask(Task):
    """Trains the coarse stage; the fine stage is frozen."""

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        freeze(model.fine)

    def weight_groups(self) -> list[WeightGroup]:
        coarse = self.model.coarse
        return encoder_apart(coarse, coarse.encoder, self.configuration.schedule.encoder_rate)

    def loss_terms(self, batch: Batch) -> dict[str, torch.Tensor]:
        logits = self.model.run_coarse(to_unit(batch.images), visible_rois(batch)).logits
        target = target_coverage(batch, (logits.shape[2], logits.shape[3]))
        return foreground_loss(logits, target, self.configuration.foreground)

    def scores(self, batch: Batch) -> torch.Tensor:
        return foreground_iou(self.model.run_coarse(to_unit(batch.images), batch.rois), batch.identities)
