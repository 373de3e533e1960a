"""What gives the finder its batches: views of photos to learn from, and whole photos to be scored on."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

from torch.utils.data import DataLoader

from hiseg_training.config.run import Configuration
from hiseg_training.data.coco import Photo
from hiseg_training.data.eval_dataset import FIXED_PEOPLE, some_photos
from hiseg_training.engine.loaders import Loaders
from hiseg_training.engine.process import ProcessRank
from hiseg_training.finding.dataset import ViewDataset, ViewSampler, WholePhotos, collate
from hiseg_training.finding.frames import draw_weights, read_frames
from hiseg_training.finding.view import ViewConfig

HELD_OUT, HELD_OUT_SHARE = 200, 5
"""Photos of nobody that are measured on and never learnt from: so many, but at most one in so many."""
ENLARGED = 1.3
"""Size in which photos are kept, as a multiple of the size that they are looked at."""
SCORED_TOGETHER = 16


def hold_out(nobody: Sequence[Photo]) -> tuple[list[Photo], list[Photo]]:
    """Divide photos of nobody into those to learn from and those to measure false finds on.

    The latter are those whose names have the lowest BLAKE2b checksums, whatever other photos are there.
    """
    ordered = sorted(nobody, key=lambda photo: blake2b(photo.path.name.encode(), digest_size=16).hexdigest())
    count = min(HELD_OUT, len(ordered) // HELD_OUT_SHARE)
    return ordered[count:], ordered[:count]


def scored_photos(configuration: Configuration, train: Sequence[Photo], val: Sequence[Photo]) -> list[WholePhotos]:
    """The photos that are scored: ``val``, and a fixed part of ``train``."""
    reduction = configuration.model.coarse_reduction
    size = (configuration.data.canvas[0] // reduction, configuration.data.canvas[1] // reduction)
    fixed = some_photos([photo for photo in train if photo.people and photo.outlined], FIXED_PEOPLE)
    return [WholePhotos(photos, size) for photos in (val, fixed)]


def finder_loaders(
    configuration: Configuration, train: Sequence[Photo], scored: Sequence[WholePhotos], process: ProcessRank
) -> Loaders:
    """Batches of one process of a run.

    Args:
        configuration: of the run.
        train: photos to learn from, in which everybody is annotated.
        scored: what :func:`scored_photos` returned.
        process: which of the run's processes this is.

    Raises:
        FileNotFoundError, AnnotationError: a photo can't be read.
        ValueError: batches can't be divided among the processes.
    """
    schedule, data, finding = configuration.schedule, configuration.data, configuration.finding
    fit = max(data.canvas) // configuration.model.coarse_reduction
    config = ViewConfig(finding.view, fit, data.scales, finding.mosaic, data.colour, data.augment)
    weights = draw_weights(train, finding.nobody)
    views = ViewDataset(read_frames(train, round(fit * ENLARGED)), weights, config, schedule.seed)
    loader: DataLoader[Any] = DataLoader(
        views,
        batch_sampler=ViewSampler(weights, finding.draws, schedule.batch_size, schedule.seed, process),
        collate_fn=collate,
        num_workers=data.workers,
        persistent_workers=data.workers > 0,
    )
    val, fixed = (DataLoader(photos, batch_size=SCORED_TOGETHER, collate_fn=collate) for photos in scored)
    return Loaders(loader, val, fixed)
