"""What each stage optimises: which weights move, and what is compared with what."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import nn

from training.data.dataset import Batch
from training.losses.segmentation import foreground_loss, person_loss, three_class_labels
from training.models.hierarchical import HierarchicalModel, to_unit
from training.models.roi import enlarge, roi_align

Objective = Callable[[HierarchicalModel, Batch], torch.Tensor]


def fine(model: HierarchicalModel, batch: Batch) -> torch.Tensor:
    """The fine stage alone: no coarse stage is run."""
    return _person(model, batch, joint=False)


def joint(model: HierarchicalModel, batch: Batch) -> torch.Tensor:
    """The fine stage with the view of a frozen coarse stage."""
    return _person(model, batch, joint=True)


def coarse(model: HierarchicalModel, batch: Batch) -> torch.Tensor:
    """The foreground of whole canvases."""
    logits = model.run_coarse(to_unit(batch.images)).logits
    truth = F.interpolate((batch.identities > 0).float(), size=logits.shape[2:], mode="area")
    return foreground_loss(logits, truth)


def _person(model: HierarchicalModel, batch: Batch, joint: bool) -> torch.Tensor:
    images = to_unit(batch.images)
    seen = None
    if joint:
        model.coarse.eval()
        with torch.no_grad():
            seen = model.run_coarse(images)
    logits = model.crop_logits(images, batch.rois, seen)
    crops = enlarge(batch.rois, model.config.context)
    identities = roi_align(batch.identities.float(), crops, model.config.mask_size, mode="nearest")
    return person_loss(logits, three_class_labels(identities, batch.targets))


OBJECTIVES: dict[str, Objective] = {"fine": fine, "coarse": coarse, "joint": joint}


def trainable(model: HierarchicalModel, stage: str) -> Iterable[nn.Parameter]:
    """The weights a stage moves."""
    return (model.coarse if stage == "coarse" else model.fine).parameters()
