"""What each stage optimises: which weights move, what is compared with what, and on which samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from training.data.dataset import Batch, Recipe
from training.losses.foreground import foreground_loss
from training.losses.instance import InstanceLoss
from training.losses.labels import three_class_labels
from training.models.hierarchical import HierarchicalModel, to_unit
from training.models.roi import enlarge, roi_align


def person(model: HierarchicalModel, batch: Batch, joint: bool = False, divisor: int = 1) -> torch.Tensor:
    """Loss of the fine stage over a batch's people.

    Args:
        joint: with the view of the coarse stage, which stays as it is.
        divisor: crops are this many times smaller a side than the model's.
    """
    images = to_unit(batch.images)
    seen = None
    if joint:
        model.coarse.eval()
        with torch.no_grad():
            seen = model.run_coarse(images)
    size = (model.config.mask_size[0] // divisor, model.config.mask_size[1] // divisor)
    people = model.crop_outputs(images, batch.rois, seen, size)
    crops = enlarge(batch.rois, model.config.context)
    identities = roi_align(batch.identities.float(), crops, size, mode="nearest")
    return InstanceLoss()(people, three_class_labels(identities, batch.targets))["total"]


def foreground(model: HierarchicalModel, batch: Batch) -> torch.Tensor:
    """Loss of the coarse stage over a batch's canvases."""
    logits = model.run_coarse(to_unit(batch.images)).logits
    truth = F.interpolate((batch.identities > 0).float(), size=logits.shape[2:], mode="area")
    return foreground_loss(logits, truth)["total"]


@dataclass(frozen=True)
class Stage:
    """One stage of training.

    Attributes:
        loss: what is made small.
        recipe: how its samples are made.
        part: name of the part of the model whose weights move.
        batch_images: canvases a step.
    """

    loss: Callable[[HierarchicalModel, Batch], torch.Tensor]
    recipe: Recipe
    part: str
    batch_images: int

    def trained(self, model: HierarchicalModel) -> nn.Module:
        """The part of ``model`` whose weights move."""
        return model.get_submodule(self.part)


STAGES = {
    # Half the crop, a quarter of the work: shapes and contexts are learnt here, four times as many an hour.
    "early": Stage(lambda m, b: person(m, b, divisor=2), Recipe(canvas=(320, 320)), "fine", 24),
    "fine": Stage(person, Recipe(), "fine", 12),
    # The coarse stage sees half the pixels a side anyway: small canvases cut out of larger views train it faster.
    "coarse": Stage(foreground, Recipe(canvas=(384, 384), scales=(0.8, 2.0)), "coarse", 12),
    "joint": Stage(lambda m, b: person(m, b, joint=True), Recipe(), "fine", 12),
}
