"""A finder's cells lie where they should on canvases of any shape, and its foreground covers them."""

from __future__ import annotations

import pytest
import torch

from hiseg_training.config.model import ModelConfig
from hiseg_training.models.finder import STRIDES, FinderStage, cell_centres
from hiseg_training.models.hierarchical import HierarchicalModel


@pytest.fixture(scope="module")
def model() -> HierarchicalModel:
    torch.manual_seed(0)
    return HierarchicalModel(ModelConfig(coarse_family="finder")).eval()


@pytest.mark.parametrize("size", [(64, 96), (80, 64)])
def test_cells_and_foreground_fit_the_input(model: HierarchicalModel, size: tuple[int, int]) -> None:
    assert isinstance(model.coarse, FinderStage)
    with torch.no_grad():
        found = model.coarse.find(torch.rand(2, 3, *size))
    cells = sum(-(-size[0] // 32) * (32 // stride) * (size[1] // stride) for stride in STRIDES)
    assert found.scores.shape == (2, cells)
    assert found.boxes.shape == (2, cells, 4)
    assert found.points.shape == (cells, 2)
    assert found.foreground.shape == (2, 1, size[0] // 4, size[1] // 4)
    inside = (found.points > found.boxes[0, :, :2]) & (found.points < found.boxes[0, :, 2:])
    assert inside.all(), "each cell begins with a box around its centre"
    assert float(found.scores.sigmoid().max()) < 0.1, "and is nobody's"


def test_the_foreground_is_the_contracts(model: HierarchicalModel) -> None:
    images = torch.randint(0, 256, (1, 3, 96, 128), dtype=torch.uint8)
    with torch.no_grad():
        assert model.foreground(images).shape == (1, 1, 96, 128)


def test_centres_are_listed_row_by_row() -> None:
    centres = cell_centres(2, 3, 8, torch.zeros(()))
    assert centres.tolist() == [[4, 4], [12, 4], [20, 4], [4, 12], [12, 12], [20, 12]]


def test_it_is_small() -> None:
    weights = sum(weight.numel() for weight in FinderStage(ModelConfig(coarse_family="finder")).parameters())
    assert 2 * weights < 6e6, "bytes in FP16"
