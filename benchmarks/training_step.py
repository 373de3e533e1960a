"""Measures a training step of stage 3 with the backbone run once per image and once per person.

Run it by ``python -m benchmarks.training_step``. Both loops use the same model, weights, real photos and people. The
second loop, as upstream's (PINTO0309's human-instance-segmentation), has one person per sample: images are repeated,
and there are more steps of as many canvases. The loops take turns, so that a slow moment of the machine affects both.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from hiseg_training.config.names import configuration
from hiseg_training.config.run import Instances
from hiseg_training.data.coco import data_root, read_split
from hiseg_training.data.dataset import AugmentConfig, Batch, EpochSampler, PersonDataset, collate
from hiseg_training.engine.instances import InstanceTask
from hiseg_training.evaluation.complexity import complexity
from hiseg_training.models.hierarchical import HierarchicalModel

IMAGES, ROUNDS, THREADS = 8, 7, 2
UNET = {"coarse_family": "unet", "coarse_variant": "b0", "coarse_reduction": 1}
"""Upstream's coarse stage: a UNet over an EfficientNet on the whole canvas."""
MODELS = (("ours, frozen", "frozen", {}), ("ours, trained", "trained", {}), ("the UNet, frozen", "frozen", UNET))


class Step:
    """A training step: forward pass, loss, backward pass."""

    def __init__(self, coarse: str, network: dict[str, Any]) -> None:
        chosen = configuration("b0")
        model = replace(chosen.model, **network)
        chosen = chosen.model_copy(update={"instances": Instances.model_validate({"coarse": coarse}), "model": model})
        self.task = SingleProcessTask(HierarchicalModel(chosen.model), chosen)
        self.task.train()

    def seconds(self, batch: Batch) -> float:
        started = time.perf_counter()
        self.task.zero_grad(set_to_none=True)
        self.task.loss_terms(batch)["total"].backward()
        return time.perf_counter() - started


class SingleProcessTask(InstanceTask):
    """The task in one process, without a trainer."""

    def balance(self, count: int) -> float:
        return 1.0


def once_a_person(batch: Batch) -> Iterator[Batch]:
    """The same people, each with a canvas of its own, ``IMAGES`` canvases at a time."""
    for rows in torch.arange(len(batch.rois)).split(IMAGES):
        owner = batch.rois[rows, 0].long()
        rois = torch.cat([torch.arange(len(rows))[:, None].float(), batch.rois[rows, 1:]], dim=1)
        images = batch.images[owner].contiguous(memory_format=torch.channels_last)
        yield Batch(images, batch.identities[owner], rois, batch.targets[rows])


def main() -> None:
    torch.set_num_threads(THREADS)
    torch.manual_seed(0)
    photos = read_split(data_root(), "train")
    people = PersonDataset(photos, AugmentConfig())
    keys = list(EpochSampler(people))
    compute = complexity(HierarchicalModel(configuration("b0").model))
    print(f"{compute.gmac_per_image:.2f} GMAC an image, {compute.gmac_per_person:.2f} a person, forward")
    for name, coarse, network in MODELS:
        step, ours, theirs, decoding, count = Step(coarse, network), [], [], [], 0
        for number in range(ROUNDS):
            started = time.perf_counter()
            batch = collate([people[key] for key in keys[number * IMAGES : (number + 1) * IMAGES]])
            decoding.append((time.perf_counter() - started) / IMAGES)
            ours.append(step.seconds(batch) / IMAGES)
            theirs.append(sum(step.seconds(part) for part in once_a_person(batch)) / IMAGES)
            count += len(batch.rois)
        # The first round warms up.
        a, b, sample = (statistics.median(times[1:]) for times in (ours, theirs, decoding))
        each = count / ROUNDS / IMAGES
        print(
            f"coarse stage {name}, {each:.2f} people an image: step {1 / a:.2f} images/s once an image, "
            f"{1 / b:.2f} once a person, {b / a:.2f}x; with making samples {(b + each * sample) / (a + sample):.2f}x"
        )


if __name__ == "__main__":
    main()
