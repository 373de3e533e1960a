"""The boxes that the coarse stage is shown while it learns."""

from __future__ import annotations

import torch

from hiseg_training.data.dataset import Batch
from hiseg_training.engine.foreground import BOX_DROPOUT, visible_rois


def test_most_canvases_show_all_of_their_boxes_and_the_others_none() -> None:
    torch.manual_seed(0)
    canvases, people = 2000, 3
    index = torch.arange(canvases).repeat_interleave(people)
    rois = torch.cat([index[:, None].float(), torch.rand(len(index), 4)], dim=1)
    images = torch.randint(0, 256, (canvases, 3, 16, 16), dtype=torch.uint8)
    batch = Batch(images, images[:, :1], rois, torch.ones(len(index)))
    known = visible_rois(batch)
    assert torch.equal(known, visible_rois(batch))
    counts = torch.bincount(known[:, 0].long(), minlength=canvases)
    assert set(counts.tolist()) == {0, people}
    assert abs(float((counts == 0).float().mean()) - 1 / BOX_DROPOUT) < 0.03
    assert len(visible_rois(batch._replace(rois=rois[:0]))) == 0
