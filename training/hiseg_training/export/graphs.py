"""The parts of a model that become files of their own: masks alone, the foreground alone, or both."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from hiseg_training.export.forms import Graph
from hiseg_training.models.hierarchical import HierarchicalModel


class GraphTensors(NamedTuple):
    """Names of a graph's tensors, in the order in which its module takes and gives them."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


TENSORS = {
    Graph.MASKS: GraphTensors(("images", "rois"), ("masks", "wide_masks")),
    Graph.FOREGROUND: GraphTensors(("images",), ("binary_masks",)),
    Graph.BOTH: GraphTensors(("images", "rois"), ("masks", "binary_masks", "wide_masks")),
}


class MasksGraph(nn.Module):
    """What :meth:`hiseg_training.models.hierarchical.HierarchicalModel.masks` computes."""

    def __init__(self, model: HierarchicalModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Images ``[B, 3, H, W]`` and RoIs ``[N, 5]`` -> ``masks`` and ``wide_masks``, ``[N, 3, h, w]`` each."""
        return self.model.masks(images, rois)


class ForegroundGraph(nn.Module):
    """What :meth:`hiseg_training.models.hierarchical.HierarchicalModel.foreground` computes where no box is known."""

    def __init__(self, model: HierarchicalModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images ``[B, 3, H, W]`` -> ``binary_masks`` ``[B, 1, H, W]``."""
        return self.model.foreground(images)


def graph_module(model: HierarchicalModel, graph: Graph) -> nn.Module:
    """Return the module that takes and gives the tensors of a graph, see :data:`TENSORS`."""
    if graph is Graph.BOTH:
        return model
    return MasksGraph(model) if graph is Graph.MASKS else ForegroundGraph(model)
