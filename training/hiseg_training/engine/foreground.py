"""Stage 1: the coarse stage learns where anybody is."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from hiseg_training.config.run import Configuration
from hiseg_training.data.dataset import Batch
from hiseg_training.engine.iou import iou
from hiseg_training.engine.task import Group, Task
from hiseg_training.losses.foreground import foreground_loss
from hiseg_training.models.freezing import freeze
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit
from hiseg_training.models.outputs import Coarse

UNTOLD = 5
"""Of one canvas in so many the coarse stage isn't told the boxes while it learns."""


def truth(batch: Batch, size: tuple[int, int]) -> torch.Tensor:
    """Share of each cell that is people, float 0..1 ``[B, 1, *size]``, or probably is where a model drew them."""
    anybody = batch.anybody()
    if anybody.shape[2] >= size[0]:
        return F.interpolate(anybody, size=size, mode="area")
    return F.interpolate(anybody, size=size, mode="nearest")


def told(batch: Batch) -> torch.Tensor:
    """The boxes that the coarse stage is told of while it learns, ``[N', 5]``: on some canvases nobody's.

    So it looks for people too, where it will know of none. Which canvases these are their own pixels say: it is the
    same in whichever process, and after a break.
    """
    sums = batch.images[:, :, ::8, ::8].sum((1, 2, 3), dtype=torch.int64)
    return batch.rois[(sums % UNTOLD != 0)[batch.rois[:, 0].long()]]


def foreground_iou(coarse: Coarse, identities: torch.Tensor) -> torch.Tensor:
    """Mean of the person's and the background's IoU of each canvas, as the document's UNets are scored; ``[B]``."""
    said = coarse.foreground((identities.shape[2], identities.shape[3])) > 0.5
    there = identities > 0
    return (iou(said, there) + iou(~said, ~there)) / 2


class ForegroundTask(Task):
    """Trains the coarse stage; the fine stage stands still."""

    def __init__(self, model: HierarchicalModel, configuration: Configuration) -> None:
        super().__init__(model, configuration)
        freeze(model.fine)

    def groups(self) -> list[Group]:
        return [Group(list(self.model.coarse.parameters()))]

    def terms(self, batch: Batch) -> dict[str, torch.Tensor]:
        logits = self.model.run_coarse(to_unit(batch.images), told(batch)).logits
        where = truth(batch, (logits.shape[2], logits.shape[3]))
        return foreground_loss(logits, where, self.configuration.foreground)

    def scores(self, batch: Batch) -> torch.Tensor:
        return foreground_iou(self.model.run_coarse(to_unit(batch.images), batch.rois), batch.identities)
