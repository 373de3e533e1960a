"""The samples that a run is measured on after each epoch: whole photos without augmentation, with all their people."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from hiseg.core.coco_file import PERSON
from hiseg_training.config.model import Size
from hiseg_training.data.augment import fit_matrix, warp
from hiseg_training.data.coco import Photo, coco_set, data_root
from hiseg_training.data.dataset import Sample
from hiseg_training.data.skipped import Tell, silent

FIXED_PEOPLE = 400
"""How many people of the training data a model is scored on: what it fits, beside what it generalises to."""


class EvalDataset(Dataset[Sample]):
    """Photos fitted into a canvas, top left; every outlined person with the annotated box."""

    def __init__(self, photos: list[Photo], canvas: Size) -> None:
        self.photos = photos
        self.canvas = canvas

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, index: int) -> Sample:
        photo = self.photos[index]
        height, width = self.canvas
        matrix = fit_matrix((photo.height, photo.width), self.canvas)
        image, identities = warp(photo.pixels(), photo.identities(), matrix, self.canvas)
        seen = set(np.unique(identities).tolist())
        targets = [k for k in range(1, len(photo.people) + 1) if k in seen]
        boxes = [photo.people[k - 1].box for k in targets]
        corners = [[b.x1 / width, b.y1 / height, b.x2 / width, b.y2 / height] for b in boxes]
        rois = np.array(corners, dtype=np.float32).reshape(-1, 4) * np.float32(matrix[0, 0])
        return Sample(
            torch.from_numpy(image).permute(2, 0, 1),
            torch.from_numpy(identities)[None],
            torch.from_numpy(rois),
            torch.tensor(targets, dtype=torch.int64),
        )


def some_photos(photos: Sequence[Photo], people: int, seed: int = 0) -> list[Photo]:
    """Return random photos with about so many people in all, the same ones for the same seed."""
    chosen: list[Photo] = []
    left = people
    for photo in random.Random(seed).sample(photos, len(photos)):
        if left > 0:
            chosen.append(photo)
            left -= len(photo.people)
    return chosen


def read_photos(
    annotations: Path | None,
    images: Path | None,
    split: str,
    limit: int = 0,
    categories: Collection[str] = (PERSON,),
    tell: Tell = silent,
) -> list[Photo]:
    """Read the photos of an annotation file, or of a split of ``HISEG_DATA``.

    Args:
        annotations: the COCO file; None reads the split.
        images: folder of the file's images; None looks beside the file.
        split: name of the split, if no file is given.
        limit: most photos to return; 0 returns all.
        categories: names of the categories that are people.
        tell: gets a line for what was read, and one for each reason why something was left out.

    Raises:
        FileNotFoundError, ValueError: as of :func:`coco_set` and its photos.
    """
    return coco_set(annotations, images, data_root(), split).read(categories, tell)[: limit or None]
