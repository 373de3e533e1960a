"""Outlines for photos that have boxes only: a model that knows how to follow boxes draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from pycocotools import mask as coco_mask
from tqdm import tqdm

from training.data.coco import Photo
from training.inference.batches import Answer, answers
from training.inference.masks import person_masks
from training.inference.runner import Runner


def outline(photos: Sequence[Photo], runner: Runner) -> list[Photo]:
    """The same photos; everybody without an outline gets the model's, in and through the service's own code."""
    found = list(photos)
    bare = [index for index, photo in enumerate(photos) if not photo.outlined]
    asked = [photos[index] for index in bare]
    boxes = [[person.box for person in photo.people] for photo in asked]
    for answer in tqdm(answers(asked, boxes, runner, runner.images or 1), desc="outline", total=len(asked)):
        found[bare[answer.index]] = _outlined(asked[answer.index], answer)
    return found


def _outlined(photo: Photo, answer: Answer) -> Photo:
    people = []
    for (mask, _), person in zip(person_masks(answer), photo.people, strict=True):
        drawn = coco_mask.encode(np.asfortranarray(mask.view(np.uint8)))
        people.append(person if person.rle is not None else replace(person, rle=drawn, area=float(mask.sum())))
    return replace(photo, people=tuple(people))
