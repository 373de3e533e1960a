"""Measures stage 3's loop over crops that were cut beforehand against a loop over whole canvases.

Run it by ``python -m benchmarks.training_loop``. The second loop is the one that trained the models before: each sample
is a canvas, of which RoI Align cuts the people in every step. Both use the same model, loss, optimiser, photos and size
of a crop, and take turns on one thread, whose processor time is counted: what else the machine does affects it little.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch

from hiseg_training.config.model import BACKGROUND, OTHER, TARGET
from hiseg_training.config.names import configuration
from hiseg_training.config.overrides import override
from hiseg_training.data.coco import data_root, read_split
from hiseg_training.data.dataset import Batch, EpochSampler, PersonDataset, collate
from hiseg_training.engine.instances import InstanceTask
from hiseg_training.engine.loaders import augment_config, crop_loaders
from hiseg_training.engine.process import ProcessRank
from hiseg_training.losses.instance import InstanceLoss
from hiseg_training.models.fine import FineOutput
from hiseg_training.models.hierarchical import HierarchicalModel, to_unit
from hiseg_training.models.roi import enlarge, roi_align

PHOTOS, ROUNDS = 200, 9
CANVASES = 10
"""A batch; it holds about as many people as a batch of crops."""
SETTINGS = {
    "model.family": "lite",
    "model.fine_widths": [128, 64, 40, 24],
    "model.hierarchical": False,
    "model.contour": False,
    "model.distance": False,
    "data.people": 8,
    "data.workers": 0,
    "schedule.batch_size": 24,
}
"""B0's, as its recipe has them."""
EARLY = {"instances.early": [[1, [96, 72]]]}
"""The first part of a run."""


class SingleProcessTask(InstanceTask):
    """The task in one process, without a trainer."""

    def balance(self, count: int) -> float:
        return 1.0


def canvases(people: PersonDataset) -> Iterator[Batch]:
    """Batches of canvases without end, as the loop before had them."""
    sampler, keys = EpochSampler(people), list[int]()
    while True:
        keys += list(sampler)
        yield collate([people[keys.pop()] for _ in range(CANVASES)])


def canvas_loss(model: HierarchicalModel, loss: InstanceLoss, batch: Batch) -> torch.Tensor:
    """The loss of the people on canvases, who are cut out here."""
    size = model.config.mask_size
    logits = model.crop_logits(to_unit(batch.images), batch.rois, size)
    crops = enlarge(batch.rois, model.config.context)
    identities = roi_align(batch.identities.float(), crops, size, mode="nearest")[:, 0].round().long()
    labels = torch.where(identities > 0, OTHER, BACKGROUND)
    labels[identities == batch.targets[:, None, None]] = TARGET
    return loss(FineOutput(logits), labels)["total"]


class Loop:
    """Steps of one loop, and what they took."""

    def __init__(
        self,
        model: HierarchicalModel,
        batches: Iterator[Any],
        loss: Callable[[Any], torch.Tensor],
        people: Callable[[Any], int],
    ) -> None:
        self.optimizer = torch.optim.AdamW(model.fine.parameters(), lr=1e-4)
        self.batches, self.loss, self.people = batches, loss, people
        self.making, self.learning = list[float](), list[float]()

    def step(self) -> None:
        """Make a batch and learn from it; the time of either counts for each person."""
        started = time.process_time()
        batch = next(self.batches)
        made = time.process_time()
        self.optimizer.zero_grad(set_to_none=True)
        self.loss(batch).backward()
        self.optimizer.step()
        people = self.people(batch)
        self.making.append((made - started) / people)
        self.learning.append((time.process_time() - made) / people)

    def row(self, name: str, batch_size: int) -> str:
        """Medians, without the first step, which warms up."""
        making, learning = (statistics.median(times[1:]) for times in (self.making, self.learning))
        rate = 1 / (making + learning)
        return f"| {name} | {1e3 * making:.1f} | {1e3 * learning:.1f} | {rate:.1f} | {rate / batch_size:.2f} |"


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    chosen = override(configuration("b0"), SETTINGS)
    photos = read_split(data_root(), "train")[:PHOTOS]
    task = SingleProcessTask(HierarchicalModel(chosen.model), chosen).train()
    model, batch_size = task.model, chosen.schedule.batch_size
    with tempfile.TemporaryDirectory() as folder:
        kept = override(chosen, {"data.crops": folder})
        started = time.process_time()
        loaders = crop_loaders(kept, photos, photos[:1], ProcessRank(), lambda: 0.0)
        people = sum(len(photo.people) for photo in photos)
        print(f"cutting {people} people: {1e3 * (time.process_time() - started) / people:.1f} ms each, once\n")
        crops = Loop(model, iter(loaders.train), lambda b: task.loss_terms(b)["total"], lambda b: len(b.labels))
        before = Loop(
            model,
            canvases(PersonDataset(photos, augment_config(chosen))),
            lambda b: canvas_loss(model, task.loss, b),
            lambda b: len(b.rois),
        )
        smaller = crop_loaders(override(kept, EARLY), photos, photos[:1], ProcessRank(), lambda: 0.0)
        small = Loop(model, iter(smaller.train), lambda b: task.loss_terms(b)["total"], lambda b: len(b.labels))
        for _ in range(ROUNDS):
            for loop in (crops, small, before):
                loop.step()
    print("| loop | making a sample, ms | learning from it, ms | crops/s | steps/s |")
    print("|---|---:|---:|---:|---:|")
    print(before.row("canvases of 640 x 640", batch_size))
    print(crops.row("crops of 128 x 96", batch_size))
    print(small.row("crops of 96 x 72", 36))


if __name__ == "__main__":
    main()
