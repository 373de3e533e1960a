"""What the coarse stage is told while it learns."""

from __future__ import annotations

import torch

from hiseg_training.data.dataset import Batch
from hiseg_training.engine.foreground import UNTOLD, told


def test_boxes_are_told_of_a_canvas_all_or_none_and_of_most() -> None:
    torch.manual_seed(0)
    canvases, people = 2000, 3
    index = torch.arange(canvases).repeat_interleave(people)
    rois = torch.cat([index[:, None].float(), torch.rand(len(index), 4)], dim=1)
    images = torch.randint(0, 256, (canvases, 3, 16, 16), dtype=torch.uint8)
    batch = Batch(images, images[:, :1], rois, torch.ones(len(index)))
    known = told(batch)
    assert torch.equal(known, told(batch))
    counts = torch.bincount(known[:, 0].long(), minlength=canvases)
    assert set(counts.tolist()) == {0, people}
    assert abs(float((counts == 0).float().mean()) - 1 / UNTOLD) < 0.03
    assert len(told(batch._replace(rois=rois[:0]))) == 0
